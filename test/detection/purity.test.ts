/** The promise of the whole: a symbol's anomalies and bars are a function of its records, the settings and the model. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Policy } from '../../src/detection/detector.ts';
import { encodeAnomaly, encodeBar } from '../../src/market/codec.ts';
import { partitionOf } from '../../src/market/partition.ts';
import { Random } from '../../src/market/random.ts';
import type { TapeRecord } from '../../src/market/records.ts';
import { DEFAULT_MODEL, loadArtefact, settingsId } from '../../src/model/artefact-file.ts';
import { resolvePolicy } from '../../src/model/registry.ts';
import { type PartitionState, type Resolve, TapeDetector } from '../../src/pipeline/tape-detector.ts';
import { randomTape, SYMBOLS, timeOf } from '../pipeline/random-tape.ts';

const settings = { budget: 24, close_after_s: 600, rules: [] };
const policy: Policy = { artefact: loadArtefact(DEFAULT_MODEL), settings, settingsId: settingsId(settings) };
const resolve: Resolve = (wanted, before) => resolvePolicy(wanted, before, () => null);

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
  const fresh = (): TapeDetector => new TapeDetector({ policy, output, resolve });
  const detectors = Array.from({ length: shape.partitions }, fresh);
  let offset = 0;
  const pushAll = (record: TapeRecord): void => {
    for (const detector of detectors) detector.push(record, offset);
    offset++;
  };
  for (const record of tape) {
    if (!('symbol' in record)) {
      pushAll(record);
      continue;
    }
    if (random.next() < shape.heartbeats)
      pushAll({ type: 'heartbeat', timestamp: record.timestamp - random.next() * 3000 });
    const partition = partitionOf(record.symbol, shape.partitions);
    if (random.next() < shape.restores) detectors[partition] = restored(detectors[partition]!, fresh(), offset);
    detectors[partition]!.push(record, offset++);
  }
  pushAll({ type: 'heartbeat', timestamp: timeOf(tape.at(-1)!) + 7_200_000 });
  return lines;
}

/** `detector` as it comes back from snapshots. */
function restored(detector: TapeDetector, fresh: TapeDetector, offset: number): TapeDetector {
  fresh.partitionState = JSON.parse(JSON.stringify(detector.partitionState)) as PartitionState;
  for (const symbol of detector.detectors.keys()) {
    const held = detector.symbolState(symbol, offset)!;
    fresh.restore(symbol, { ...held, state: held.state.slice() });
  }
  return fresh;
}

/** The tape with activations here and there, each for a time that no heartbeat before it has promised. */
function withActivations(tape: readonly TapeRecord[], seed: number, count: number): TapeRecord[] {
  const random = new Random(seed);
  const out = [...tape];
  for (let i = 0; i < count; i++) {
    const at = random.below(out.length);
    const next = out.slice(at).find((record) => 'symbol' in record) ?? tape.at(-1)!;
    const from = timeOf(next) + random.next() ** 3 * 3_600_000;
    const record: TapeRecord = {
      type: 'activate',
      model: null,
      settings: { budget: [1, 4, 24, 200][random.below(4)]!, close_after_s: 60 + random.below(900), rules: [] },
      from,
    };
    out.splice(at, 0, record);
  }
  return out;
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

test('an activation switches each symbol at one place, whatever the partitions, heartbeats and snapshots', () => {
  let switched = 0;
  fc.assert(
    fc.property(
      fc.nat(),
      fc.integer({ min: 1, max: 8 }),
      fc.record({
        partitions: fc.integer({ min: 1, max: 12 }),
        heartbeats: fc.constantFrom(0, 0.01, 0.5),
        restores: fc.constantFrom(0, 0.001, 0.05),
        seed: fc.nat(),
      }),
      (tapeSeed, count, shape) => {
        const tape = withActivations(randomTape(tapeSeed), shape.seed, count);
        const plain = run(tape, { partitions: 1, heartbeats: 0, restores: 0, seed: 0 });
        for (const [symbol, lines] of run(tape, shape)) assertSameLines(lines, plain.get(symbol)!);
        const used = [...plain.values()]
          .flat()
          .map((line) => (JSON.parse(line) as { evidence?: { settings: string } }).evidence?.settings);
        switched += new Set(used).size;
      },
    ),
    { numRuns: Number(process.env['PURITY_RUNS'] ?? 12) },
  );
  assert.ok(switched > 24, 'activations changed what decides');
});

test('an activation that comes after its time begins where heartbeats have promised nothing', () => {
  const tape = randomTape(7);
  const at = 3000;
  const late: TapeRecord = {
    type: 'activate',
    model: null,
    settings: { ...settings, budget: 500 },
    from: timeOf(tape[at - 900]!),
  };
  const beat = (record: TapeRecord): TapeRecord => ({ type: 'heartbeat', timestamp: timeOf(record) });
  const cut = [...tape.slice(0, at).flatMap((record) => [beat(record), record]), late, ...tape.slice(at)];
  const plain = run(cut, { partitions: 1, heartbeats: 0, restores: 0, seed: 0 });
  for (const [symbol, lines] of run(cut, { partitions: 3, heartbeats: 0, restores: 0.05, seed: 1 }))
    assertSameLines(lines, plain.get(symbol)!);
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
