/**
 * One scale for all kinds. Each kind's tail gives return periods; the longest of them in a second, as a score of its
 * own, has a tail too, and from that one the budget's threshold follows: incidents asked for a day are its peaks a day.
 */
import type { DetectionSettings } from '../../market/records.ts';
import type { Calibration } from '../artefact.ts';
import { exp, LN2, log } from '../math.ts';
import { KIND_COUNT, KIND_INDEX, MARKET_KINDS, rawOf, silenceDue, silenceRaw, TRADE_KINDS } from './raw-scores.ts';
import { TAIL_STATE, Tail } from './tail.ts';

const DAY_S = 86_400;
/** Counts halve in two weeks, so that the tail drifts with the market. */
const HALF_LIFE_S = 14 * DAY_S;
/** Share of the peaks that open an incident of their own: measured; the rest fall into one that is open, or into warm-up. */
const PEAKS_OPEN = 0.55;
export const WARNING_LOG_PERIOD: number = log(4 * DAY_S);
export const CRITICAL_LOG_PERIOD: number = log(40 * DAY_S);

/** The union score: ln of the longest return period over a minute, two units of it on one of the grid. */
const UNION_BASE: number = log(60);

/**
 * Each kind's share of the budget, as ln of a factor on its return period. A move of price with one-sided trades behind it
 * is what people want to read; bursts and combinations without one have to be rarer to be told.
 */
const SHARE: readonly number[] = MARKET_KINDS.map((kind) =>
  kind === 'pump' || kind === 'dump' || kind === 'price_jump' ? log(2) : kind === 'silence' ? 0 : -log(2),
);

export function unionRaw(logPeriod: number): number {
  return logPeriod > UNION_BASE ? (logPeriod - UNION_BASE) / 2 + 1 : 0;
}

/** Doubles: a tail a kind, the union's, and the frozen level of each kind. */
export const CALIBRATION_STATE: number = (KIND_COUNT + 1) * TAIL_STATE + KIND_COUNT + 1;

export class CalibratedScores {
  readonly #tails: readonly Tail[];
  readonly #union: Tail;
  /** Raw score at which each kind opens an incident, and after them the ln of the return period it stands for. */
  readonly #levels: Float64Array;
  readonly #top: Float64Array = new Float64Array(TRADE_KINDS);

  constructor(state: Float64Array) {
    const tail = (i: number): Tail => new Tail(state.subarray(i * TAIL_STATE, (i + 1) * TAIL_STATE));
    this.#tails = Array.from({ length: KIND_COUNT }, (_, k) => tail(k));
    this.#union = tail(KIND_COUNT);
    this.#levels = state.subarray((KIND_COUNT + 1) * TAIL_STATE);
  }

  /** ln of the return period at which an incident opens. */
  get openLogPeriod(): number {
    return this.#levels[KIND_COUNT]!;
  }

  /** The tail of a kind, or of the union at index KIND_COUNT. */
  tail(index: number): Tail {
    return index < KIND_COUNT ? this.#tails[index]! : this.#union;
  }

  level(kind: number): number {
    return this.#levels[kind]!;
  }

  logPeriod(kind: number, raw: number): number {
    return this.#tails[kind]!.logPeriod(raw);
  }

  shareBelow(kind: number, raw: number): number {
    return this.#tails[kind]!.shareBelow(raw);
  }

  rawAt(kind: number, logPeriod: number): number {
    return this.#tails[kind]!.rawAt(logPeriod);
  }

  /** Counts a closed second that had trades; `top` has the greatest strength of each kind. Returns ln of the longest period. */
  countSecond(top: Float64Array, second: number): number {
    let longest = 0;
    for (let k = 0; k < TRADE_KINDS; k++) {
      const raw = rawOf(k, top[k]!);
      this.#top[k] = raw;
      if (raw < 1) continue;
      const period = this.#tails[k]!.logPeriod(raw) + SHARE[k]!;
      if (period > longest) longest = period;
      this.#tails[k]!.count(raw, second, 1);
    }
    const union = unionRaw(longest);
    if (union >= 1) this.#union.count(union, second, 1);
    return longest;
  }

  /** Counts a silence that ended after `waited` seconds, the last of them `second`. */
  countSilence(active: number, waited: number, second: number): void {
    const raw = silenceRaw(active, waited);
    if (raw < 1) return;
    const tail = this.#tails[KIND_INDEX.silence]!;
    const union = unionRaw(tail.logPeriod(raw));
    // A silence is above a level from the moment its waiting time reaches it.
    const above = (level: number): number => waited - Math.max(1, silenceDue(active, level)) + 1;
    tail.count(raw, second, Math.max(1, above(raw)));
    if (union >= 1) this.#union.count(union, second, 1);
  }

  /** Fixes levels for the coming hour of event time. */
  freeze(calibration: Calibration, settings: DetectionSettings, exposure: number): void {
    for (const [k, tail] of this.#tails.entries()) tail.freeze(calibration.kinds[k]!, exposure);
    this.#union.freeze(calibration.union, exposure);
    const wanted = log((DAY_S * PEAKS_OPEN) / settings.budget);
    const raw = this.#union.rawAt(wanted);
    const opening = (raw - 1) * 2 + UNION_BASE;
    this.#levels[KIND_COUNT] = opening;
    for (let k = 0; k < KIND_COUNT; k++) this.#levels[k] = this.#tails[k]!.rawAt(opening - SHARE[k]!);
  }

  decay(seconds: number): void {
    const factor = exp((-LN2 * seconds) / HALF_LIFE_S);
    for (const tail of this.#tails) tail.decay(factor);
    this.#union.decay(factor);
  }
}

export function decayedExposure(exposure: number, seconds: number): number {
  return exposure * exp((-LN2 * seconds) / HALF_LIFE_S);
}
