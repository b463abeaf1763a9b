/** The command line as a user meets it: what it says and how it ends. */
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { TRX, WITHOUT_DATA } from '../real-data.ts';

const BIN = fileURLToPath(new URL('../../bin/tapewatch.js', import.meta.url));
const MODEL = fileURLToPath(new URL('../../models/default.json', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'tapewatch-cli-'));

function run(...args: string[]): { code: number | null; out: string; err: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [BIN, ...args], {
    encoding: 'utf8',
    timeout: 60_000,
    maxBuffer: 1 << 28,
  });
  return { code: status, out: stdout, err: stderr };
}

test('wrong usage and wrong settings end with 2 and name all that is wrong', () => {
  assert.equal(run('nonsense').code, 2);
  const { code, err } = run('start', '--port', '99999', '--history', 'x');
  assert.equal(code, 2);
  assert.match(err, /--port is "99999".*\n--history is "x"/);
});

test('a tape that is missing or no tape ends with 1 and says so', () => {
  assert.match(run('backtest', '--tape', '/nowhere.csv').err, /Can't find the tape/);
  const path = join(folder, 'x.csv');
  writeFileSync(path, 'hello');
  const { code, err } = run('backtest', '--tape', path);
  assert.equal(code, 1);
  assert.match(err, /is no tape/);
});

test('a reader who has had enough, as head has, ends it without a word', async () => {
  const child = spawn(process.execPath, [BIN, 'model', 'show', MODEL], { stdio: ['ignore', 'pipe', 'pipe'] });
  child.stdout.destroy();
  let err = '';
  child.stderr.on('data', (chunk: Buffer) => {
    err += chunk;
  });
  const [code] = await once(child, 'close');
  assert.deepEqual({ code, err }, { code: 0, err: '' });
});

test('a port in use and a damaged data folder each say what to do', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const busy = run('start', '--port', String(port), '--data', join(folder, 'busy'));
  assert.equal(busy.code, 1);
  assert.match(busy.err, /in use: choose another with --port/);
  server.close();
  const damaged = mkdtempSync(join(folder, 'damaged-'));
  writeFileSync(join(damaged, 'log'), 'no database');
  const { code, err } = run('start', '--port', '0', '--data', damaged);
  assert.equal(code, 1);
  assert.match(err, /Move it away and start again/);
});

test('a simulated tape is the same for the same seed, and its backtest finds the anomalies it was given', () => {
  const paths = ['a', 'b'].map((name) => join(folder, `${name}.ndjson`));
  for (const path of paths) {
    assert.equal(
      run(
        'simulate',
        '--out',
        path,
        '--labels',
        `${path}.labels`,
        '--trades',
        '200000',
        '--symbols',
        '4',
        '--seed',
        '7',
      ).code,
      0,
    );
  }
  const [path, again] = paths;
  const page = join(folder, 'page.html');
  const a = run('backtest', '--tape', path!, '--budget', '24');
  const graded = ['--labels', `${again}.labels`, '--sweep', '4,24', '--report', page, '--json', '--jobs', '2'];
  const b = run('backtest', '--tape', again!, '--budget', '24', ...graded);
  assert.equal(a.out, b.out);
  assert.ok(a.out.split('\n').length > 5);
  const { grade, sweep, trades } = JSON.parse(b.err) as {
    grade: { events: number; scores: { found: number }[] };
    sweep: { budget: number }[];
    trades: number;
  };
  assert.equal(trades, 200_000);
  assert.ok(grade.scores[0]!.found >= grade.events / 2, b.err);
  assert.deepEqual(
    sweep.map(({ budget }) => budget),
    [4, 24],
  );
  assert.match(readFileSync(page, 'utf8'), /<h2>Against the labels<\/h2>/);
});

test('every anomaly of the cascade is explained by recomputing it', { skip: WITHOUT_DATA }, () => {
  const { out } = run('backtest', '--tape', TRX, '--budget', '4');
  const lines = out.trim().split('\n');
  for (const line of [lines[0]!, lines[Math.floor(lines.length / 2)]!]) {
    const { id } = JSON.parse(line) as { id: string };
    const page = join(folder, 'explained.html');
    const { code, out: told } = run('explain', id, '--tape', TRX, '--budget', '4', '--json', '--html', page);
    assert.equal(code, 0);
    assert.match(readFileSync(page, 'utf8'), /how rare the strongest score is/);
    assert.equal(JSON.stringify((JSON.parse(told) as { anomaly: unknown }).anomaly), line);
  }
  assert.equal(run('explain', 'TRXUSDT:market:1:0', '--tape', TRX).code, 1);
});

test('a model is imported, put in force, and leaves settings that are not given as they are', () => {
  const data = join(folder, 'models');
  const [first] = run('model', 'show', '--data', data).out.split('\n');
  assert.equal(first, 'Nothing has been activated yet.');
  const imported = JSON.parse(run('model', 'import', MODEL, '--name', 'night', '--data', data, '--json').out) as object;
  const again = JSON.parse(run('model', 'import', MODEL, '--name', 'night', '--data', data, '--json').out) as object;
  assert.deepEqual(again, imported, 'the same bytes are no new version');
  assert.equal(run('model', 'activate', 'nothing', '--data', data).code, 1);
  const { out, code, err } = run('model', 'activate', 'night', '--budget', '7', '--data', data, '--json');
  assert.equal(code, 0, err);
  assert.equal((JSON.parse(out) as { settings: { budget: number } }).settings.budget, 7);
  assert.equal(run('model', 'activate', 'night@1', '--data', data).code, 0);
  const told = run('model', 'show', '--data', data).out;
  assert.match(told, /^\* night@1 +sha256:/);
  assert.match(told, /"budget":7/, 'a setting that is not given stays');
  assert.match(run('model', 'show', 'night', '--data', data).out, /^model +sha256:[\s\S]*trees of/);
});
