/**
 * Isolation Forest, 100 trees of 256 rows, 8 features: ns a row here, in scikit-learn and in ONNX Runtime, one after the
 * other in one run. CPU time, least of five rounds; the median wall time of a call beside it.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { IsolationForest } from 'tapewatch/forest';
import { Random } from '../../src/market/random.ts';
import { pythonWith } from '../python/venv.ts';

const FEATURES = 8;
const ROWS = 4096;
const ROUNDS = 5;

interface Timing {
  readonly cpu_ns: number;
  readonly p50_ns: number;
}
interface Answer {
  readonly fit_ms: number;
  readonly rows: Readonly<Record<string, Readonly<Record<string, Timing>>>>;
}

function perRow(call: (i: number) => void, rows: number, calls: number): Timing {
  for (let i = 0; i < calls; i++) call(i);
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const before = process.cpuUsage();
    for (let i = 0; i < calls; i++) call(i);
    const { user, system } = process.cpuUsage(before);
    best = Math.min(best, ((user + system) * 1000) / calls);
  }
  // The clock ticks too coarsely for one call of half a microsecond.
  const together = rows < 64 ? 16 : 1;
  const walls = new Float64Array(Math.floor(calls / together));
  for (let n = 0; n < walls.length; n++) {
    const start = performance.now();
    for (let i = 0; i < together; i++) call(n * together + i);
    walls[n] = ((performance.now() - start) * 1e6) / together;
  }
  return { cpu_ns: best / rows, p50_ns: walls.sort()[walls.length >> 1]! / rows };
}

function fitMs(rows: Float32Array): number {
  let best = Number.POSITIVE_INFINITY;
  for (let seed = 0; seed < 2 * ROUNDS; seed++) {
    const before = process.cpuUsage();
    IsolationForest.fit(rows, { features: FEATURES, seed });
    const { user, system } = process.cpuUsage(before);
    best = Math.min(best, (user + system) / 1000);
  }
  return best;
}

function measure(rows: Float32Array): Answer {
  const forest = IsolationForest.fit(rows, { features: FEATURES, seed: 1 });
  const out = new Float64Array(ROWS);
  const vector = Float64Array.from(rows.subarray(0, FEATURES));
  const some = rows.subarray(0, 64 * FEATURES);
  const one = (i: number): void => {
    const at = (i % ROWS) * FEATURES;
    for (let f = 0; f < FEATURES; f++) vector[f] = rows[at + f]!;
    forest.scoreOne(vector);
  };
  return {
    fit_ms: fitMs(rows),
    rows: {
      1: { tapewatch: perRow(one, 1, 200_000) },
      64: { tapewatch: perRow(() => forest.score(some, out), 64, 10_000) },
      [ROWS]: { tapewatch: perRow(() => forest.score(rows, out), ROWS, 200) },
    },
  };
}

const random = new Random(1);
const rows = Float32Array.from({ length: ROWS * FEATURES }, () => {
  let sum = 0;
  for (let i = 0; i < 12; i++) sum += random.next();
  return sum - 6;
});
const python = pythonWith();
if ('missing' in python) console.error(`The peers are left out: the comparison ${python.missing}.`);
const folder = mkdtempSync(join(tmpdir(), 'tapewatch-forest-'));
try {
  const ours = measure(rows);
  let peers: Answer | null = null;
  if ('path' in python) {
    writeFileSync(join(folder, 'rows.f32'), rows);
    const script = new URL('peer.py', import.meta.url).pathname;
    execFileSync(python.path, [script, join(folder, 'rows.f32'), String(FEATURES), join(folder, 'out.json')], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    peers = JSON.parse(readFileSync(join(folder, 'out.json'), 'utf8')) as Answer;
  }
  console.log(`100 trees of 256 rows, ${FEATURES} features; ${cpus()[0]?.model}, Node ${process.versions.node}`);
  console.log(
    `fit, CPU ms: tapewatch ${ours.fit_ms.toFixed(1)}${peers ? `, scikit-learn ${peers.fit_ms.toFixed(0)}` : ''}`,
  );
  for (const [count, timings] of Object.entries(ours.rows)) {
    const base = timings['tapewatch']!;
    for (const [name, { cpu_ns, p50_ns }] of Object.entries({ ...timings, ...peers?.rows[count] })) {
      console.log(
        `${count.padStart(5)} rows a call  ${name.padEnd(24)} CPU ${cpu_ns.toFixed(0).padStart(9)} ns a row, p50 ${p50_ns
          .toFixed(0)
          .padStart(9)}, ${(cpu_ns / base.cpu_ns).toFixed(1)} ×`,
      );
    }
  }
} finally {
  rmSync(folder, { recursive: true });
}
