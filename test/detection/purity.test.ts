/** The promise of the whole: a symbol's anomalies and bars are a function of its records, the settings and the model. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { encodeAnomaly, encodeBar } from '../../src/market/codec.ts';
import { partitionOf } from '../../src/market/partition.ts';
import { Random } from '../../src/market/random.ts';
import type { TapeRecord } from '../../src/market/records.ts';
import { DEFAULT_MODEL, loadArtefact, settingsId } from '../../src/model/artefact-file.ts';
import { TapeDetector } from '../../src/pipeline/tape-detector.ts';

const settings = { budget: 24, close_after_s: 600, rules: [] };
const policy = { artefact: loadArtefact(DEFAULT_MODEL), settings, settingsId: settingsId(settings) };
const START = 1_760_000_000_000;
const SYMBOLS = ['BTCUSDT', 'ETHUSDT', 'DOGEUSDT', 'XRPUSDT'];

/** Some hours of bursts, drifts and silences on several symbols, with a gap and a halt. */
function randomTape(seed: number): TapeRecord[] {
  const random = new Random(seed);
  const tape: TapeRecord[] = [];
  for (const [s, symbol] of SYMBOLS.entries()) {
    let at = START + s;
    let price = 10_000;
    for (let id = 1; id <= 2500; id++) {
      const burst = random.next() < 0.02 || (id > 1200 && id < 1300);
      at += burst ? random.next() * 50 : -Math.log(1 - random.next()) * (random.next() < 0.003 ? 900_000 : 9000);
      const timestamp = Math.round(at * 1000) / 1000;
      price = Math.max(10, price + Math.round((random.next() - 0.49) * (burst ? 40 : 4)));
      if (id % 997 === 0) {
        tape.push({ type: 'gap', symbol, timestamp, first: id, last: id, reason: 'hole', since: timestamp });
        continue;
      }
      if (id === 2000) tape.push({ type: 'status', symbol, timestamp, status: 'halted' });
      if (id === 2001) tape.push({ type: 'status', symbol, timestamp, status: 'resumed' });
      tape.push({
        timestamp,
        symbol,
        id,
        price: price / 100,
        volume: Math.ceil(random.next() * 100) / 10,
        side: random.next() < 0.5 ? 'buy' : 'sell',
      });
    }
  }
  return tape.sort((a, b) => timeOf(a) - timeOf(b));
}

function timeOf(record: TapeRecord): number {
  return 'timestamp' in record ? record.timestamp : record.from;
}

interface Shape {
  readonly partitions: number;
  readonly heartbeats: number;
  readonly restores: number;
  readonly seed: number;
}

/** Each symbol's output, as lines, when the tape runs through `shape`. */
function run(tape: readonly TapeRecord[], shape: Shape): Map<string, string[]> {
  const random = new Random(shape.seed);
  const lines = new Map<string, string[]>(SYMBOLS.map((symbol) => [symbol, []]));
  const output = {
    anomaly: (anomaly: Parameters<typeof encodeAnomaly>[0]) => lines.get(anomaly.symbol)!.push(encodeAnomaly(anomaly)),
    bar: (bar: Parameters<typeof encodeBar>[0]) => lines.get(bar.symbol)!.push(encodeBar(bar)),
  };
  const fresh = (): TapeDetector => new TapeDetector({ policy, output });
  const detectors = Array.from({ length: shape.partitions }, fresh);
  for (const record of tape) {
    const partition = partitionOf((record as { symbol: string }).symbol, shape.partitions);
    if (random.next() < shape.heartbeats) {
      for (const detector of detectors)
        detector.push({ type: 'heartbeat', timestamp: timeOf(record) - random.next() * 3000 });
    }
    if (random.next() < shape.restores) {
      const restored = fresh();
      for (const [symbol, { state, policy: active }] of detectors[partition]!.detectors)
        restored.restore(symbol, active, state.slice());
      detectors[partition] = restored;
    }
    detectors[partition]!.push(record);
  }
  for (const detector of detectors) detector.push({ type: 'heartbeat', timestamp: timeOf(tape.at(-1)!) + 7_200_000 });
  return lines;
}

/** Tells the first line that differs, not the thousands around it. */
function assertSameLines(lines: readonly string[], expected: readonly string[]): void {
  const at = expected.findIndex((line, i) => line !== lines[i]);
  assert.equal(lines[at], expected[at]);
  assert.equal(lines.length, expected.length);
}

test('partitions, heartbeats and snapshots change no byte', () => {
  fc.assert(
    fc.property(
      fc.nat(),
      fc.record({
        partitions: fc.integer({ min: 1, max: 12 }),
        heartbeats: fc.constantFrom(0, 0.01, 0.5, 1.5),
        restores: fc.constantFrom(0, 0.001, 0.05),
        seed: fc.nat(),
      }),
      (tapeSeed, shape) => {
        const tape = randomTape(tapeSeed);
        const plain = run(tape, { partitions: 1, heartbeats: 0, restores: 0, seed: 0 });
        for (const [symbol, lines] of run(tape, shape)) assertSameLines(lines, plain.get(symbol)!);
      },
    ),
    { numRuns: Number(process.env['PURITY_RUNS'] ?? 12) },
  );
});

test('the random tape is worth testing on: it has anomalies of the market, silences and data faults', () => {
  const kinds = new Set<string>();
  for (let seed = 1; seed <= 4; seed++) {
    for (const lines of run(randomTape(seed), { partitions: 1, heartbeats: 0, restores: 0, seed: 0 }).values()) {
      for (const line of lines) kinds.add((JSON.parse(line) as { kind?: string }).kind ?? 'bar');
    }
  }
  for (const kind of ['silence', 'data_fault', 'bar']) assert.ok(kinds.has(kind), `${kind} among ${[...kinds]}`);
  assert.ok(kinds.size >= 5, [...kinds].join());
});
