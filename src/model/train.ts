/**
 * Training: three passes over the same tape. The first samples the forest's vectors, the second counts each kind's tail,
 * the third the tail of their union. The same tape and seed give the same artefact.
 */
import { type Artefact, type Calibration, flatCalibration, type Scaling } from '../detection/artefact.ts';
import { type Output, type Policy, SymbolDetector } from '../detection/detector.ts';
import { IsolationForest } from '../detection/forest/index.ts';
import { KIND_COUNT } from '../detection/surprise/kinds.ts';
import { GRID_LEVELS, type PooledTail, poolTail } from '../detection/surprise/tail.ts';
import { FEATURES } from '../detection/surprise/vector.ts';
import { TapewatchError } from '../market/error.ts';
import { Random } from '../market/random.ts';
import { isTrade, type TapeRecord } from '../market/records.ts';

export interface TrainOptions {
  /** The tape, from its beginning, each time it is called. */
  readonly tape: () => AsyncIterable<readonly TapeRecord[]>;
  readonly seed: number;
  /** How the artefact was made, for its provenance. */
  readonly command: string;
  /** Records for which this is true are left out, as a gap: known events that calm tails must not hold. */
  readonly exclude?: (symbol: string, timestamp: number) => boolean;
  readonly onPass?: (pass: number, of: number) => void;
  /** A forest made elsewhere of this detector's vectors: it is taken as it is, and only tails are counted. */
  readonly forest?: IsolationForest;
}

/** Vectors kept a symbol, and for all symbols together. */
const SAMPLE_A_SYMBOL = 4000;
const SAMPLE = 40_000;
/** Enough for a stable order of scores; each costs time at every trade. */
const TREES = 32;
const SAMPLE_SIZE = 128;
const SETTINGS = { budget: 1, close_after_s: 600, rules: [] } as const;

export async function train(options: TrainOptions): Promise<Omit<Artefact, 'id'>> {
  const { seed } = options;
  options.onPass?.(1, 3);
  const sampler = new Sampler(seed);
  const first = await run(options, policyOf(blankForest(), flatCalibration()), sampler);
  const forest = options.forest ?? forestOf(sampler.rows(), seed);
  options.onPass?.(2, 3);
  const counted = await run(options, policyOf(forest, flatCalibration()), null);
  const kinds = Array.from({ length: KIND_COUNT }, (_, k) => pool(counted.detectors, k));
  options.onPass?.(3, 3);
  const united = await run(options, policyOf(forest, { kinds, union: flatCalibration().union }), null);
  const union = pool(united.detectors, KIND_COUNT);
  const provenance = { trainedOn: first.ranges, seed, command: options.command };
  return { scaling: scalingOf(united.detectors), forest, calibration: { kinds, union }, provenance };
}

function blankForest(): IsolationForest {
  const features = FEATURES.length;
  return IsolationForest.fit(new Float32Array(features), { features, trees: 1, sampleSize: 1 });
}

/** @throws TapewatchError `usage` where there is too little. */
function forestOf(rows: Float32Array, seed: number): IsolationForest {
  if (rows.length < 256 * FEATURES.length) {
    throw new TapewatchError('usage', 'The tapes are too short to train on: give at least some hours of trades.');
  }
  return IsolationForest.fit(rows, { features: FEATURES.length, trees: TREES, sampleSize: SAMPLE_SIZE, seed });
}

function policyOf(forest: IsolationForest, calibration: Calibration): Policy {
  const scaling = { mean: new Float64Array(FEATURES.length), deviation: new Float64Array(FEATURES.length).fill(1) };
  const artefact = {
    id: 'training',
    scaling,
    forest,
    calibration,
    provenance: { trainedOn: [], seed: 0, command: '' },
  };
  return { artefact, settings: SETTINGS, settingsId: 'training' };
}

interface Run {
  readonly detectors: readonly SymbolDetector[];
  readonly ranges: { symbol: string; from: number; to: number; trades: number }[];
}

async function run(options: TrainOptions, policy: Policy, sampler: Sampler | null): Promise<Run> {
  const detectors = new Map<string, SymbolDetector>();
  const ranges = new Map<string, { symbol: string; from: number; to: number; trades: number; left: boolean }>();
  for await (const batch of options.tape()) {
    for (const record of batch) {
      if (!('symbol' in record)) continue;
      const { symbol, timestamp } = record;
      let detector = detectors.get(symbol);
      if (!detector) {
        detector = new SymbolDetector(symbol, policy, outputOf(symbol, sampler));
        detectors.set(symbol, detector);
        ranges.set(symbol, { symbol, from: timestamp, to: timestamp, trades: 0, left: false });
      }
      const range = ranges.get(symbol)!;
      if (options.exclude?.(symbol, timestamp)) {
        range.left = true;
        continue;
      }
      if (range.left) detector.gap({ type: 'gap', symbol, timestamp, first: null, last: null, reason: 'pause' });
      range.left = false;
      if (isTrade(record)) {
        range.trades++;
        range.to = Math.max(range.to, timestamp);
        detector.trade(record);
      } else if (record.type === 'gap') detector.gap(record);
    }
  }
  return {
    detectors: [...detectors.values()],
    ranges: [...ranges.values()].map(({ symbol, from, to, trades }) => ({ symbol, from, to, trades })),
  };
}

function outputOf(symbol: string, sampler: Sampler | null): Output {
  const nothing = (): void => undefined;
  return sampler ? { anomaly: nothing, vector: sampler.of(symbol) } : { anomaly: nothing };
}

/** The median symbol's baseline of each feature; what has none is standardised already. */
function scalingOf(detectors: readonly SymbolDetector[]): Scaling {
  const ready = (i: number): readonly SymbolDetector[] => detectors.filter(({ windows }) => windows.inverse[i]! > 0);
  return {
    mean: Float64Array.from(FEATURES, (_, i) => median(ready(i).map(({ windows }) => windows.mean[i]!)) ?? 0),
    deviation: Float64Array.from(
      FEATURES,
      (_, i) => median(ready(i).map(({ windows }) => 1 / windows.inverse[i]!)) ?? 1,
    ),
  };
}

function median(values: readonly number[]): number | undefined {
  return [...values].sort((a, b) => a - b)[values.length >> 1];
}

function pool(detectors: readonly SymbolDetector[], index: number): PooledTail {
  const peaks = new Float64Array(GRID_LEVELS);
  const seconds = new Float64Array(GRID_LEVELS);
  let exposure = 0;
  for (const detector of detectors) {
    const { counts } = detector.calibration.tail(index);
    for (let i = 0; i < GRID_LEVELS; i++) {
      peaks[i] = peaks[i]! + counts.peaks[i]!;
      seconds[i] = seconds[i]! + counts.seconds[i]!;
    }
    exposure += detector.exposure;
  }
  return poolTail(peaks, seconds, exposure);
}

/** An even choice of vectors a symbol (reservoir sampling, Vitter 1985), so that busy symbols don't fill the forest. */
class Sampler {
  readonly #random: Random;
  readonly #kept = new Map<string, Float64Array[]>();

  constructor(seed: number) {
    this.#random = new Random(seed);
  }

  of(symbol: string): (vector: Float64Array) => void {
    const kept: Float64Array[] = [];
    this.#kept.set(symbol, kept);
    let seen = 0;
    return (vector) => {
      seen++;
      if (kept.length < SAMPLE_A_SYMBOL) kept.push(vector.slice());
      else {
        const at = this.#random.below(seen);
        if (at < SAMPLE_A_SYMBOL) kept[at] = vector.slice();
      }
    };
  }

  rows(): Float32Array {
    const all = [...this.#kept.values()].flat();
    const step = Math.max(1, all.length / SAMPLE);
    const count = Math.floor(all.length / step);
    const rows = new Float32Array(count * FEATURES.length);
    for (let i = 0; i < count; i++) rows.set(all[Math.floor(i * step)]!, i * FEATURES.length);
    return rows;
  }
}
