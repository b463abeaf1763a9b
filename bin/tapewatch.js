#!/usr/bin/env node
import { existsSync } from 'node:fs';
import module from 'node:module';
import { fileURLToPath } from 'node:url';

if (Number(process.versions.node.split('.')[0]) < 24) {
  process.stderr.write(
    `tapewatch needs Node.js 24 or newer; this is ${process.version} (${process.execPath}). In the repository run "npm ci", then "npx tapewatch".\n`,
  );
  process.exit(2);
}
const source = new URL('../src/main.ts', import.meta.url);
// Stripping types takes half of a start's CPU time: what was stripped and compiled is kept, by content, beside the packages.
if (existsSync(source))
  module.enableCompileCache(fileURLToPath(new URL('../node_modules/.cache/tapewatch', import.meta.url)));
await import(existsSync(source) ? source.href : new URL('../dist/main.js', import.meta.url).href);
