/**
 * `npm run bench:inference`: scores over HTTP, side by side with what one would write in Python (FastAPI on uvicorn, ONNX
 * Runtime, one worker): requests a CPU second of the server's process, all its threads, and latency, for 1 row and 64, at
 * saturation and at half of each side's own. One forest on both sides; the scores must agree within 1e-5. Options:
 * `--rounds 5`, `--seconds 3`.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Random } from '../../src/market/random.ts';
import { median, table } from '../quality/section.ts';
import { load, quantile } from './load.ts';
import { forestOf, peerPython, type Row, rowsOf, startServers, type Target } from './servers.ts';

const GOAL = 10;
const CONNECTIONS = 32;
const ROWS = [1, 64] as const;
/** Requests made beforehand, each of other rows. */
const REQUESTS = 64;
const WARM_UP_S = 2;
const DIFFERENCE_MAX = 1e-5;
/** Of /proc/PID/stat; Linux has had 100 for all of its life. */
const TICKS_A_SECOND = 100;

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '5' }, seconds: { type: 'string', default: '3' } },
});
const seconds = Number(values.seconds);

interface Measured {
  readonly perCpuSecond: number;
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  /** Cores that the server and this process kept busy. */
  readonly server: number;
  readonly client: number;
}

function cpuSeconds(pid: number): number {
  const [, rest] = readFileSync(`/proc/${pid}/stat`, 'utf8').split(/\) /);
  const fields = rest!.split(' ');
  return (Number(fields[11]) + Number(fields[12])) / TICKS_A_SECOND;
}

async function measure({ server }: Target, requests: readonly Buffer[], rate: number | null): Promise<Measured> {
  const port = Number(new URL(server.address).port);
  const [cpu, own] = [cpuSeconds(server.pid), process.cpuUsage()];
  const loaded = await load({ port, requests, connections: CONNECTIONS, rate, seconds });
  const used = cpuSeconds(server.pid) - cpu;
  const { user, system } = process.cpuUsage(own);
  return {
    perCpuSecond: loaded.answered / used,
    perSecond: loaded.answered / loaded.seconds,
    p50: quantile(loaded.latencies, 0.5),
    p99: quantile(loaded.latencies, 0.99),
    server: used / loaded.seconds,
    client: (user + system) / 1e6 / loaded.seconds,
  };
}

async function furthest(targets: readonly Target[], expected: Float64Array, rows: readonly Row[]): Promise<number> {
  let most = 0;
  for (const target of targets) {
    const scores = await target.scores(rows);
    if (scores.length !== rows.length)
      throw new Error(`${target.name} gave ${scores.length} scores of ${rows.length}.`);
    for (const [i, score] of scores.entries()) most = Math.max(most, Math.abs(score - expected[i]!));
  }
  return most;
}

async function main(python: string, folder: string): Promise<void> {
  const random = new Random(1);
  const forest = forestOf(random);
  const { targets, stop } = await startServers(folder, python, forest);
  try {
    const all = new Map<string, Measured[]>();
    for (const count of ROWS) {
      const batches = Array.from({ length: REQUESTS }, () => rowsOf(random, count));
      const flat = batches.flat();
      const expected = forest.score(Float32Array.from(flat.flat()));
      let difference = 0;
      for (const [i, batch] of batches.entries()) {
        const its = expected.subarray(i * count, (i + 1) * count);
        difference = Math.max(difference, await furthest(targets, its, batch));
      }
      if (difference > DIFFERENCE_MAX) throw new Error(`The scores differ by ${difference}.`);
      console.log(`${count} rows a request: ${flat.length} scores of each agree within ${difference.toExponential(1)}`);
      const requests = targets.map((target) => batches.map((batch) => target.request(batch)));
      for (const [t, { server }] of targets.entries()) {
        const port = Number(new URL(server.address).port);
        await load({ port, requests: requests[t]!, connections: CONNECTIONS, rate: null, seconds: WARM_UP_S });
      }
      for (let round = 0; round < Number(values.rounds); round++) {
        // Who goes first changes, so that what the machine does meanwhile falls on all alike.
        const order = targets.map((_, i) => (i + round) % targets.length);
        for (const t of order) {
          const full = await measure(targets[t]!, requests[t]!, null);
          keep(all, `${t} ${count} full`, full);
          keep(all, `${t} ${count} half`, await measure(targets[t]!, requests[t]!, full.perSecond / 2));
        }
      }
    }
    report(targets, all);
  } finally {
    await stop();
  }
}

function keep(all: Map<string, Measured[]>, key: string, one: Measured): void {
  all.set(key, [...(all.get(key) ?? []), one]);
}

function report(targets: readonly Target[], all: ReadonlyMap<string, readonly Measured[]>): void {
  const lines: string[][] = [];
  for (const count of ROWS)
    for (const at of ['full', 'half'] as const)
      for (const [t, { name }] of targets.entries()) {
        const its = all.get(`${t} ${count} ${at}`)!;
        const peer = all.get(`0 ${count} ${at}`)!;
        const middle = (field: keyof Measured, digits: number): string =>
          median(its.map((one) => one[field])).toFixed(digits);
        const ratio = median(its.map(({ perCpuSecond }, round) => perCpuSecond / peer[round]!.perCpuSecond));
        lines.push([
          `${count}, ${at === 'full' ? 'saturated' : 'half'}`,
          name,
          middle('perCpuSecond', 0),
          t === 0 ? '' : `${ratio.toFixed(1)} ×${ratio >= GOAL ? '' : ` (goal ${GOAL})`}`,
          middle('perSecond', 0),
          middle('p50', 2),
          middle('p99', 2),
          `${middle('server', 2)}, ${middle('client', 2)}`,
        ]);
      }
  const head = ['rows, load', 'server', 'requests a CPU second', 'ratio', 'requests/s', 'p50 ms', 'p99 ms'];
  console.log(
    `\n${cpus()[0]?.model}, ${cpus().length} cores, Node ${process.versions.node}, ${new Date().toISOString()}`,
  );
  console.log(`${values.rounds} rounds of ${values.seconds} s, medians, ${CONNECTIONS} connections\n`);
  console.log(table([...head, 'cores busy: server, client'], lines));
}

const python = peerPython();
if ('missing' in python) console.error(`skipped: ${python.missing}`);
else {
  const folder = mkdtempSync(join(tmpdir(), 'tapewatch-inference-'));
  try {
    await main(python.path, folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}
