/**
 * `npm run bench:throughput`: trades a CPU second from file to decision, as a user runs it: `tapewatch backtest --tape` in a
 * process of its own, start-up, decoding, detection and output counted, all threads added up. On trades of the simulated
 * exchange written by `tapewatch simulate --out`, and on the real tapes of ../shared/data. Options: `--trades 5000000`,
 * `--symbols 50`, `--json`.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { readTape } from '../../src/tape-files/tape.ts';
import { TRX, WITHOUT_DATA } from '../../test/real-data.ts';
import { PUMPS } from '../quality/real-tapes.ts';
import { table } from '../quality/section.ts';

const BIN = fileURLToPath(new URL('../../bin/tapewatch.js', import.meta.url));
const COUNTER = new URL('./cpu-counter.mjs', import.meta.url).href;
const GOAL = 300_000;

const { values } = parseArgs({
  options: {
    trades: { type: 'string', default: '5000000' },
    symbols: { type: 'string', default: '50' },
    json: { type: 'boolean', default: false },
  },
});

interface Figure {
  readonly what: string;
  readonly trades: number;
  readonly cpu_s: number;
  readonly goal: number | null;
}

const scratch = mkdtempSync(join(tmpdir(), 'tapewatch-throughput-'));
const figures: Figure[] = [];
try {
  const tape = join(scratch, 'simulated.ndjson');
  const written = run([
    'simulate',
    '--out',
    tape,
    '--trades',
    values.trades,
    '--symbols',
    values.symbols,
    '--seed',
    '1',
  ]);
  const name = `${values.trades} simulated trades of ${values.symbols} symbols`;
  const trades = Number(values.trades);
  add({ what: `simulate --out: ${name}`, trades, cpu_s: written, goal: null });
  add({ what: `reading alone: ${name}`, ...(await reading([tape])), goal: null });
  add({
    what: `backtest --jobs 1: ${name}`,
    trades,
    cpu_s: run(['backtest', '--tape', tape, '--jobs', '1']),
    goal: GOAL,
  });
  add({ what: `backtest: ${name}`, trades, cpu_s: run(['backtest', '--tape', tape]), goal: GOAL });
  if (WITHOUT_DATA) console.error(`skipped the real tapes: ${WITHOUT_DATA}`);
  else {
    for (const [what, path] of [
      ['TRXUSDT 2025-10-10 (gzip)', TRX],
      ['the pump tapes (gzip, merged)', PUMPS],
    ] as const) {
      const read = await reading([path]);
      add({ what: `reading alone: ${what}`, ...read, goal: null });
      const cpu_s = run(['backtest', '--tape', path, '--jobs', '1']);
      add({ what: `backtest --jobs 1: ${what}`, trades: read.trades, cpu_s, goal: null });
    }
  }
} finally {
  rmSync(scratch, { recursive: true });
}
if (!values.json) {
  const rows = figures.map(({ what, trades, cpu_s, goal }) => [
    what,
    Math.round(trades / cpu_s).toLocaleString('en'),
    `${Math.round((1e9 * cpu_s) / trades)} ns`,
    goal === null ? '' : `≥ ${goal.toLocaleString('en')}`,
    goal === null ? '' : trades / cpu_s >= goal ? 'yes' : 'NO',
  ]);
  console.log(`${cpus()[0]?.model ?? 'unknown CPU'}, ${cpus().length} cores, Node.js ${process.version}\n`);
  console.log(table(['what', 'trades a CPU second', 'CPU a trade', 'goal', 'met'], rows));
}

function add(figure: Figure): void {
  figures.push(figure);
  if (values.json) console.log(JSON.stringify(figure));
}

/** CPU seconds of the whole process, from its first instruction to its exit. */
function run(args: readonly string[]): number {
  const child = spawnSync(process.execPath, ['--import', COUNTER, BIN, ...args], {
    stdio: ['ignore', 'ignore', 'pipe'],
    encoding: 'utf8',
  });
  const cpu = /^CPU_US (\d+)$/m.exec(child.stderr)?.[1];
  if (child.status !== 0 || cpu === undefined) throw new Error(`tapewatch ${args.join(' ')} failed:\n${child.stderr}`);
  return Number(cpu) / 1e6;
}

async function reading(paths: readonly string[]): Promise<{ readonly trades: number; readonly cpu_s: number }> {
  const before = process.cpuUsage();
  let trades = 0;
  for await (const batch of readTape(paths)) trades += batch.length;
  const { user, system } = process.cpuUsage(before);
  return { trades, cpu_s: (user + system) / 1e6 };
}
