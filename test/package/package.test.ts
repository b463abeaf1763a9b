/** The packed build, installed elsewhere: compiled JavaScript that runs, a library that resolves, a sentence for an old Node. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'tapewatch-package-'));
const [packed] = JSON.parse(
  execFileSync('npm', ['pack', '--json', '--pack-destination', folder], {
    cwd: ROOT,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  }).replace(/^[^[]*/, ''),
) as [{ filename: string }];
writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
execFileSync('npm', ['install', '--no-audit', '--no-fund', join(folder, packed.filename)], {
  cwd: folder,
  stdio: 'ignore',
});
const bin = join(folder, 'node_modules/tapewatch/bin/tapewatch.js');

test('the installed command simulates a market and finds its anomalies', () => {
  const tape = join(folder, 't.ndjson');
  execFileSync(process.execPath, [bin, 'simulate', '--out', tape, '--trades', '120000', '--symbols', '2'], {
    stdio: 'ignore',
  });
  const out = execFileSync(process.execPath, [bin, 'backtest', '--tape', tape, '--budget', '24'], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  assert.ok(out.split('\n').length > 2);
  assert.ok(!existsSync(join(folder, 'node_modules/tapewatch/src')));
  // The package brings its page built: who installs it has no Vite.
  assert.ok(existsSync(join(folder, 'node_modules/tapewatch/dist/dashboard/index.html')));
});

test('the forest is a library of its own, with types', () => {
  const program = `import { IsolationForest } from 'tapewatch/forest';
const forest = IsolationForest.fit(Float64Array.of(1, 2, 3, 4, 5, 6), { features: 1, trees: 10 });
console.log(forest.score(Float64Array.of(3, 99)).length);`;
  writeFileSync(join(folder, 'use.mjs'), program);
  assert.equal(execFileSync(process.execPath, ['use.mjs'], { cwd: folder, encoding: 'utf8' }).trim(), '2');
  assert.match(
    readFileSync(join(folder, 'node_modules/tapewatch/dist/detection/forest/index.d.ts'), 'utf8'),
    /class IsolationForest/,
  );
});

const oldNode = ['/usr/bin/node', '/usr/local/bin/node'].find(
  (path) => existsSync(path) && !/v2[4-9]/.test(execFileSync(path, ['-v'], { encoding: 'utf8' })),
);

test('an older Node gets a sentence, not a stack trace', {
  skip: oldNode ? false : 'no Node older than 24 is installed outside the project',
}, () => {
  const { status, stderr } = spawnSync(oldNode!, [bin, 'demo'], { encoding: 'utf8' });
  assert.equal(status, 2);
  assert.match(stderr, /needs Node\.js 24 or newer; this is v\d+/);
  rmSync(folder, { recursive: true });
});
