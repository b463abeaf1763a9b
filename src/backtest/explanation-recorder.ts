/** What the picture of one anomaly shows, collected while its tape is replayed: it watches the detector and changes nothing. */

import type { Output, SymbolDetector } from '../detection/detector.ts';
import { FEATURES } from '../detection/surprise/vector.ts';
import { type Anomaly, type Bar, incidentOf, isTrade, type TapeRecord, type Trade } from '../market/records.ts';
import { TapeDetector } from '../pipeline/tape-detector.ts';
import type { Explanation, FeatureCourse } from '../report/explanation-chart.ts';
import { concerns, type Start } from './recompute.ts';

const BEFORE_MS = 300_000;
const AFTER_MS = 300_000;
/** A silence is looked at from the last trade before it, but no longer than this. */
const BEFORE_MAX_MS = 3_600_000;
const SECONDS_KEPT = 3600;
const TRADES_KEPT = 20_000;

/** The detector's measures at the end of a second with trades. */
interface Second {
  readonly bar: Bar;
  readonly value: Float64Array;
  readonly mean: Float64Array;
  readonly variance: Float64Array;
}

/** Replays `tape` as far as the picture of anomaly `id` needs; null where it gives no such anomaly. */
export async function explanationOf(
  tape: AsyncIterable<readonly TapeRecord[]>,
  { policy, resolve, restore }: Start,
  id: string,
): Promise<Explanation | null> {
  const symbol = id.slice(0, id.indexOf(':'));
  const recorder = new ExplanationRecorder(id, () => detector.detectors.get(symbol));
  const nothing = { anomaly: () => undefined };
  const detector = new TapeDetector({ policy, output: recorder.output(nothing), ...(resolve ? { resolve } : {}) });
  restore?.(detector);
  for await (const batch of tape) {
    for (const record of batch) {
      if (!concerns(symbol, record)) continue;
      if (isTrade(record)) recorder.trade(record);
      detector.push(record);
    }
    if (recorder.isDone) break;
  }
  return recorder.explanation();
}

export class ExplanationRecorder {
  readonly #id: string;
  readonly #detector: () => SymbolDetector | undefined;
  readonly #story: Anomaly[] = [];
  #anomaly: Anomaly | null = null;
  #seconds: Second[] = [];
  #trades: Trade[] = [];
  /** The forest's vector at the end of the last second, and its attribution at that of the anomaly's. */
  #vector: Float64Array | null = null;
  #forest: Explanation['forest'] = [];

  /** `detector` is that of the anomaly's symbol, once it is there. */
  constructor(id: string, detector: () => SymbolDetector | undefined) {
    this.#id = id;
    this.#detector = detector;
  }

  /** Whether all that will be shown has been seen. */
  get isDone(): boolean {
    const last = this.#seconds.at(-1);
    return this.#anomaly !== null && last !== undefined && last.bar.timestamp > this.#anomaly.timestamp + AFTER_MS;
  }

  /** A trade of the symbol, before the detector sees it. */
  trade(trade: Trade): void {
    if (this.isDone) return;
    this.#trades.push(trade);
    if (this.#trades.length > 2 * TRADES_KEPT) this.#trades = this.#trades.slice(-TRADES_KEPT);
  }

  /** Passes on to `output`, and keeps what is of the anomaly's symbol. */
  output(output: Output): Output {
    const symbol = this.#id.slice(0, this.#id.indexOf(':'));
    return {
      anomaly: (anomaly) => {
        if (incidentOf(anomaly.id) === incidentOf(this.#id)) this.#story.push(anomaly);
        if (anomaly.id === this.#id) this.#anomaly = anomaly;
        output.anomaly(anomaly);
      },
      bar: (bar) => {
        if (bar.symbol === symbol && !this.isDone) this.#bar(bar);
        output.bar?.(bar);
      },
      vector: (vector) => {
        this.#vector = vector.slice();
        output.vector?.(vector);
      },
    };
  }

  /** Null where the replay gave no such anomaly. */
  explanation(): Explanation | null {
    const anomaly = this.#anomaly;
    if (!anomaly) return null;
    const last = this.#seconds.findLast(({ bar }) => bar.timestamp <= anomaly.timestamp)?.bar.timestamp;
    const before = Math.min(anomaly.timestamp - BEFORE_MS, (last ?? anomaly.timestamp) - 60_000);
    const from = Math.max(anomaly.timestamp - BEFORE_MAX_MS, before);
    const to = anomaly.timestamp + AFTER_MS;
    const first = this.#seconds.findIndex(({ bar }) => bar.timestamp >= from);
    const seconds = this.#seconds.slice(Math.max(0, first - 1)).filter(({ bar }) => bar.timestamp <= to);
    return {
      anomaly,
      story: this.#story,
      from,
      to,
      seconds: seconds.map(({ bar }) => pointOf(bar)),
      trades: this.#trades.filter(({ timestamp }) => timestamp >= from && timestamp <= to),
      features: coursesOf(
        anomaly,
        seconds.filter(({ bar }) => bar.timestamp >= from),
      ),
      forest: this.#forest,
    };
  }

  #bar(bar: Bar): void {
    const detector = this.#detector();
    if (!detector) return;
    const { value, mean, variance } = detector.windows;
    this.#seconds.push({ bar, value: value.slice(), mean: mean.slice(), variance: variance.slice() });
    if (this.#seconds.length > 2 * SECONDS_KEPT) this.#seconds = this.#seconds.slice(-SECONDS_KEPT);
    const second = this.#anomaly ? Math.floor(this.#anomaly.timestamp / 1000) * 1000 : -1;
    if (bar.timestamp === second && this.#vector) this.#forest = attribution(detector, this.#vector);
  }
}

function pointOf({ timestamp, low, high, close, quoteVolume, score, level }: Bar): Explanation['seconds'][number] {
  return { at: timestamp, low, high, close, quote: quoteVolume, score, level };
}

function attribution(detector: SymbolDetector, vector: Float64Array): Explanation['forest'] {
  const shares = detector.policy.artefact.forest.attribute(vector);
  return [...shares]
    .map((share, i) => ({ feature: FEATURES[i]!, share }))
    .sort((a, b) => b.share - a.share)
    .slice(0, 8);
}

/** The course of each feature that spoke, of those that are measured over a window; empty windows fall to zero. */
function coursesOf(anomaly: Anomaly, seconds: readonly Second[]): FeatureCourse[] {
  const spoke = new Set([...anomaly.contributions.map(({ feature }) => feature), ...Object.keys(anomaly.actual)]);
  return [...spoke].flatMap((name) => {
    const i = FEATURES.indexOf(name);
    if (i < 0 || i >= (seconds[0]?.value.length ?? 0)) return [];
    const window_ms = Number(/_(\d+)s$/.exec(name)?.[1] ?? 0) * 1000;
    const isSigned = seconds.some((second) => second.value[i]! < 0);
    const course = { name, at: [] as number[], value: [] as number[], low: [] as number[], high: [] as number[] };
    const add = (at: number, value: number, { mean, variance }: Second): void => {
      const spread = 2 * Math.sqrt(variance[i]!);
      course.at.push(at);
      course.value.push(value);
      const low = mean[i]! - spread;
      course.low.push(isSigned ? low : Math.max(0, low));
      course.high.push(mean[i]! + spread);
    };
    for (const [n, second] of seconds.entries()) {
      const at = second.bar.timestamp;
      add(at, second.value[i]!, second);
      const next = seconds[n + 1]?.bar.timestamp;
      if (next !== undefined && next - at > window_ms) add(at + window_ms, 0, second);
    }
    return [course];
  });
}
