#!/usr/bin/env node
import { existsSync } from 'node:fs';

if (Number(process.versions.node.split('.')[0]) < 24) {
  process.stderr.write(
    `tapewatch needs Node.js 24 or newer; this is ${process.version} (${process.execPath}). In the repository run "npm ci", then "npx tapewatch".\n`,
  );
  process.exit(2);
}
const source = new URL('../src/main.ts', import.meta.url);
await import(existsSync(source) ? source.href : new URL('../dist/main.js', import.meta.url).href);
