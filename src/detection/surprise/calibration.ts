/**
 * One scale for all kinds. Each kind's tail gives return periods; the longest of them in a second, as a score of its
 * own, has a tail too, and from that one the budget's threshold follows: incidents asked for a day are its peaks a day.
 * An account of incidents opened against those asked for corrects what the tails can't know.
 */
import type { DetectionSettings } from '../../market/records.ts';
import type { Calibration } from '../artefact.ts';
import { exp, LN2, log } from '../math.ts';
import { KIND_COUNT, KIND_INDEX, NEEDS_TRADES, SHARE, TRADE_KINDS } from './kinds.ts';
import { rawOf, silenceDue, silenceRaw, strengthAt } from './raw-scores.ts';
import { GRID_FIRST, TAIL_STATE, Tail } from './tail.ts';

const DAY_S = 86_400;
/** Counts halve in two weeks, so that the tail drifts with the market. */
const HALF_LIFE_S = 14 * DAY_S;
/** Share of the peaks that open an incident of their own: measured; the rest fall into one that is open, or into warm-up. */
const PEAKS_OPEN = 0.48;
/** The account moves the opening period by at most this factor. */
const ACCOUNT_FACTOR = 4;
/**
 * Incidents the account counts as asked for and opened before it began. Few make it quick: what was not spent is soon
 * spent, but after a busy hour the level rises slowly, for the next thing may be what the budget is for.
 */
const UNSPENT_PRIOR = 0.3;
const OVERSPENT_PRIOR = 8;
/**
 * A young symbol has not shown its day: what opens an incident has to be rarer by one more than this, s, over the time
 * observed (at least the first hour, in which nothing alerts).
 */
const YOUNG_S = 1600;
const YOUNGEST_S = 3600;
/** A "not interesting" makes a kind of a symbol rarer by this factor, forgotten as the counts are. */
const FEEDBACK_STEP: number = log(4);
const FEEDBACK_MAX: number = 4 * FEEDBACK_STEP;
/** What is as rare as this (ln of a return period) keeps an open incident open; not what comes more often: it has to end. */
const HOLD: number = log(4 * 3600);
export const WARNING_LOG_PERIOD: number = log(4 * DAY_S);
export const CRITICAL_LOG_PERIOD: number = log(40 * DAY_S);

/** The union score: ln of the longest return period over a minute, two units of it on one of the grid. */
const UNION_BASE: number = log(60);

/** 0, 1 or 2 for notice, warning, critical. */
export function severityAt(logPeriod: number): number {
  return logPeriod >= CRITICAL_LOG_PERIOD ? 2 : logPeriod >= WARNING_LOG_PERIOD ? 1 : 0;
}

/** Strength of each kind at which a tail begins to count. */
const GRID_STRENGTH: readonly number[] = Array.from({ length: TRADE_KINDS }, (_, k) => strengthAt(k, GRID_FIRST));

export function unionRaw(logPeriod: number): number {
  return logPeriod > UNION_BASE ? (logPeriod - UNION_BASE) / 2 + 1 : 0;
}

/** Doubles: a tail a kind, the union's, the frozen level of each kind and of all, each kind's penalty by feedback. */
export const CALIBRATION_STATE: number = (KIND_COUNT + 1) * TAIL_STATE + KIND_COUNT + 1 + KIND_COUNT;

export class CalibratedScores {
  readonly #tails: readonly Tail[];
  readonly #union: Tail;
  /** Raw score at which each kind opens an incident, and after them the ln of the return period it stands for. */
  readonly #levels: Float64Array;
  /** ln of the factor by which feedback has made each kind rarer. */
  readonly #penalty: Float64Array;

  constructor(state: Float64Array) {
    const tail = (i: number): Tail => new Tail(state.subarray(i * TAIL_STATE, (i + 1) * TAIL_STATE));
    this.#tails = Array.from({ length: KIND_COUNT }, (_, k) => tail(k));
    this.#union = tail(KIND_COUNT);
    const at = (KIND_COUNT + 1) * TAIL_STATE;
    this.#levels = state.subarray(at, at + KIND_COUNT + 1);
    this.#penalty = state.subarray(at + KIND_COUNT + 1);
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

  /** Raw score at or above which a kind keeps an open incident open. */
  holdLevel(kind: number): number {
    return this.#tails[kind]!.rawAt(this.#holdLogPeriod - SHARE[kind]! + this.#penalty[kind]!);
  }

  get #holdLogPeriod(): number {
    return Math.min(this.openLogPeriod, HOLD);
  }

  logPeriod(kind: number, raw: number): number {
    return this.#tails[kind]!.logPeriod(raw);
  }

  shareBelow(kind: number, raw: number): number {
    return this.#tails[kind]!.shareBelow(raw);
  }

  /** The silence that is as rare as `logPeriod`, after what feedback says of silences. */
  silenceAt(logPeriod: number): number {
    const { silence } = KIND_INDEX;
    return this.#tails[silence]!.rawAt(logPeriod - SHARE[silence]! + this.#penalty[silence]!);
  }

  /**
   * Counts a closed second that had trades; `top` has the greatest strength of each kind, `trades` says whether those are
   * warm that only trades tell. Returns ln of the longest period, as people read it.
   */
  countSecond(top: Float64Array, second: number, trades: boolean): number {
    let longest = 0;
    let rarest = 0;
    const hold = this.#holdLogPeriod;
    for (let k = 0; k < TRADE_KINDS; k++) {
      // Most seconds are below the grid, and need no logarithm to know it.
      if (top[k]! < GRID_STRENGTH[k]! || (NEEDS_TRADES[k] && !trades)) continue;
      const raw = rawOf(k, top[k]!);
      const period = this.#tails[k]!.logPeriod(raw) + SHARE[k]!;
      if (period > longest) longest = period;
      rarest = Math.max(rarest, this.#tails[k]!.logRarity(raw, hold - SHARE[k]!) + SHARE[k]!);
      this.#tails[k]!.count(raw, second, 1);
    }
    const union = unionRaw(longest);
    if (union >= 1) this.#union.count(union, second, 1);
    return rarest;
  }

  /** Counts a silence that ended after `waited` seconds, the last of them `second`. */
  countSilence(active: number, waited: number, second: number): void {
    const raw = silenceRaw(active, waited);
    if (raw < 1) return;
    const tail = this.#tails[KIND_INDEX.silence]!;
    const union = unionRaw(tail.logPeriod(raw) + SHARE[KIND_INDEX.silence]!);
    // A silence is above a level from the moment its waiting time reaches it.
    const above = (level: number): number => waited - Math.max(1, silenceDue(active, level)) + 1;
    tail.count(raw, second, Math.max(1, above(raw)));
    if (union >= 1) this.#union.count(union, second, 1);
  }

  /** Fixes levels for the coming hour of event time; `exposure` and `opened` are decayed as the counts are. */
  freeze(calibration: Calibration, settings: DetectionSettings, exposure: number, opened: number): void {
    for (const [k, tail] of this.#tails.entries()) tail.freeze(calibration.kinds[k]!, exposure);
    this.#union.freeze(calibration.union, exposure);
    const asked = (settings.budget * exposure) / DAY_S;
    const prior = opened > asked ? OVERSPENT_PRIOR : UNSPENT_PRIOR;
    const account = (opened + prior) / (asked + prior);
    const factor = Math.min(ACCOUNT_FACTOR, Math.max(1 / ACCOUNT_FACTOR, account));
    const young = 1 + YOUNG_S / Math.max(YOUNGEST_S, exposure);
    const raw = this.#union.rawAt(log((DAY_S * PEAKS_OPEN * factor * young) / settings.budget));
    const opening = (raw - 1) * 2 + UNION_BASE;
    this.#levels[KIND_COUNT] = opening;
    for (let k = 0; k < KIND_COUNT; k++)
      this.#levels[k] = this.#tails[k]!.rawAt(opening - SHARE[k]! + this.#penalty[k]!);
  }

  /** A user's verdict on a kind: less of it, or as before. It counts from the next hour on. */
  judge(kind: number, interesting: boolean): void {
    const step = interesting ? -FEEDBACK_STEP : FEEDBACK_STEP;
    this.#penalty[kind] = Math.min(FEEDBACK_MAX, Math.max(0, this.#penalty[kind]! + step));
  }

  decay(seconds: number): void {
    const factor = decayOver(seconds);
    for (const tail of this.#tails) tail.decay(factor);
    this.#union.decay(factor);
    for (let k = 0; k < KIND_COUNT; k++) this.#penalty[k] = this.#penalty[k]! * factor;
  }
}

/** What is left after `seconds` of what is forgotten with the counts. */
export function decayOver(seconds: number): number {
  return exp((-LN2 * seconds) / HALF_LIFE_S);
}
