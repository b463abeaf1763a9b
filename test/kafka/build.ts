/** Another build of Tapewatch, as an update brings one: this one's files with some of their text replaced. */
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

export interface Edit {
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

/** Makes the build in `dir` and returns its command. */
export function buildWith(dir: string, edits: readonly Edit[]): string {
  mkdirSync(dir, { recursive: true });
  for (const part of ['bin', 'src', 'models', 'package.json'])
    cpSync(join(ROOT, part), join(dir, part), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(dir, 'node_modules'));
  for (const { file, from, to } of edits) {
    const path = join(dir, file);
    const text = readFileSync(path, 'utf8');
    assert.ok(text.includes(from), `${file} has no ${JSON.stringify(from)}`);
    writeFileSync(path, text.replace(from, to));
  }
  return join(dir, 'bin/tapewatch.js');
}
