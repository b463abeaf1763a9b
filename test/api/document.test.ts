/** docs/api.md and the README’s part on it, pasted: each block of shell against a server, each answer it shows held against what comes. */
import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type Served, startServer } from './server.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const TEXT = readFileSync(`${ROOT}docs/api.md`, 'utf8');
const README = readFileSync(`${ROOT}README.md`, 'utf8');
const PART = README.slice(README.indexOf('## Inference API')).split('\n## ')[0]!;
const hasTools = ['curl', 'paste', 'npx'].every((tool) => spawnSync(tool, ['--version']).error === undefined);
const skip = hasTools
  ? false
  : 'the lines are pasted into a shell with curl, paste and npx, of which one is not installed';
/** Streams have no end: theirs is the time that curl was given. */
const TIMED_OUT = 28;
const CURL = `curl() { local code=0; command curl --fail-with-body "$@" || code=$?; echo; [ $code = ${TIMED_OUT} ] || return $code; }`;
let served: Served;
before(async () => {
  served = await startServer();
});
after(() => served.close());

interface Block {
  readonly language: string;
  readonly text: string;
}
const blocks: readonly Block[] = [...`${PART}\n${TEXT}`.matchAll(/^```(\w+(?: fails)?)\n(.*?)^```$/gms)].map(
  ([, language, text]) => ({
    language: language!,
    text: text!,
  }),
);

test('each block of shell works, and answers what stands below it', { skip }, async () => {
  let run = 0;
  for (const [i, { language, text }] of blocks.entries()) {
    if (!language.startsWith('sh')) continue;
    const { said, failed } = await paste(text);
    assert.equal(failed !== null, language === 'sh fails', `${text}\n${failed ?? ''}\n${said.slice(0, 1000)}`);
    const shown = blocks[i + 1];
    if (shown?.language === 'json') has(JSON.parse(said.trimEnd().split('\n').at(-1)!), JSON.parse(shown.text), text);
    run++;
  }
  assert.ok(run > 10);
});

test('it names every operation', async () => {
  const { paths } = (await (await fetch(`${served.url}/openapi.json`)).json()) as { paths: Record<string, object> };
  const versioned = /^\/v2\/models\/\{name\}/;
  const missing = Object.entries(paths)
    .filter(([path]) => !versioned.test(path))
    .flatMap(([path, its]) => Object.keys(its).map((method) => `${method.toUpperCase()} ${path}`))
    .filter((operation) => !TEXT.includes(`\`${operation}\``));
  assert.deepEqual(missing, []);
});

/** Every field that is shown is there, as the same type; of a list its first entry counts. */
function has(got: unknown, shown: unknown, where: string): void {
  if (Array.isArray(shown)) {
    assert.ok(Array.isArray(got) && (shown.length === 0 || got.length > 0), `a list in the answer of ${where}`);
    if (shown.length > 0) has(got[0], shown[0], where);
  } else if (typeof shown === 'object' && shown !== null) {
    for (const [name, value] of Object.entries(shown)) {
      assert.ok(Object.hasOwn(got as object, name), `${name} in the answer of ${where}: ${JSON.stringify(got)}`);
      has((got as Record<string, unknown>)[name], value, where);
    }
  } else assert.equal(typeof got, typeof shown, where);
}

function paste(text: string): Promise<{ said: string; failed: string | null }> {
  const here = text.replaceAll('http://127.0.0.1:8080', served.url);
  return new Promise((resolve) => {
    const options = { cwd: ROOT, maxBuffer: 1 << 26 };
    execFile(
      'bash',
      ['-c', `set -euo pipefail\nTAPEWATCH_TOKEN=x\n${CURL}\n${here}`],
      options,
      (error, stdout, stderr) => resolve({ said: stdout, failed: error && `${error.message}\n${stderr}` }),
    );
  });
}
