/**
 * How rare a raw score is: exceedance counts on a fixed grid of levels, declustered, and a pooled tail as prior.
 *
 * For each level x of the grid: peaks at or above x (those within 10 minutes of each other are one) and seconds at or
 * above x. The rate of x is the mean of a gamma posterior whose prior is worth PRIOR_PEAKS peaks at the pooled rate:
 * rate(x) = (n + c) / (T + c · R(x)), where R is the pooled return period. Common levels soon follow the symbol's own
 * tape, rare ones stay near the pool, and an unseen level is never rarer than R + T / c.
 * (Peaks over threshold: Siffer et al. 2017; gamma–Poisson shrinkage: Robbins 1956.)
 */
import { exp, log } from '../math.ts';

export const GRID_FIRST = 1;
export const GRID_STEP = 0.2;
export const GRID_LEVELS = 50;
/** Peaks this close are one, s. */
export const PEAK_GAP_S = 600;
const PRIOR_PEAKS = 8;
const LONGEST_PERIOD_S = 1e10;
const LEAST_PEAKS = 40;
const FIT_PEAKS = 300;

/** A pooled tail: ln of the return period, s, and ln of the share of seconds at or above each level of the grid. */
export interface PooledTail {
  readonly logPeriod: Float64Array;
  readonly logShare: Float64Array;
}

/** Doubles a tail takes in a symbol's state: peaks, their last second, seconds, and the frozen pair. */
export const TAIL_STATE: number = 5 * GRID_LEVELS;

export class Tail {
  readonly #peaks: Float64Array;
  readonly #lastSecond: Float64Array;
  readonly #seconds: Float64Array;
  /** Frozen for the hour: ln return period and ln share of seconds. */
  readonly #logPeriod: Float64Array;
  readonly #logShare: Float64Array;

  constructor(state: Float64Array) {
    const part = (i: number): Float64Array => state.subarray(i * GRID_LEVELS, (i + 1) * GRID_LEVELS);
    this.#peaks = part(0);
    this.#lastSecond = part(1);
    this.#seconds = part(2);
    this.#logPeriod = part(3);
    this.#logShare = part(4);
  }

  /** Peaks and seconds at or above each level of the grid: views, not copies. */
  get counts(): { readonly peaks: Float64Array; readonly seconds: Float64Array } {
    return { peaks: this.#peaks, seconds: this.#seconds };
  }

  /** Counts a run of `seconds` seconds, the last of them `second`, at a score of `raw`. */
  count(raw: number, second: number, seconds: number): void {
    const top = levelIndex(raw);
    for (let i = 0; i <= top; i++) {
      this.#seconds[i] = this.#seconds[i]! + seconds;
      if (second - seconds + 1 - this.#lastSecond[i]! > PEAK_GAP_S) this.#peaks[i] = this.#peaks[i]! + 1;
      this.#lastSecond[i] = second;
    }
  }

  /** Fixes return periods for the coming hour; `exposure` is the observed time in s, decayed as the counts are. */
  freeze(pool: PooledTail, exposure: number): void {
    for (let i = 0; i < GRID_LEVELS; i++) {
      const period = exp(pool.logPeriod[i]!);
      const share = exp(pool.logShare[i]!);
      this.#logPeriod[i] = log((exposure + PRIOR_PEAKS * period) / (this.#peaks[i]! + PRIOR_PEAKS));
      this.#logShare[i] = log((this.#seconds[i]! + PRIOR_PEAKS) / (exposure + PRIOR_PEAKS / share));
    }
    makeMonotone(this.#logPeriod);
  }

  /** Forgets by `factor`, so that the tail follows a market that changes. */
  decay(factor: number): void {
    for (let i = 0; i < GRID_LEVELS; i++) {
      this.#peaks[i] = this.#peaks[i]! * factor;
      this.#seconds[i] = this.#seconds[i]! * factor;
    }
  }

  /** ln of the return period of `raw`, s; 0 below the grid. */
  logPeriod(raw: number): number {
    return periodIn(this.#logPeriod, raw);
  }

  /**
   * The same for people to read: below the level as rare as `from` it falls with the share of seconds that are as high.
   * There peaks run into one another, and most of what is known of them is the pool's, of symbols busier or less busy.
   */
  logRarity(raw: number, from: number): number {
    const base = this.rawAt(from);
    if (raw < GRID_FIRST || raw >= base || base === Number.POSITIVE_INFINITY) return this.logPeriod(raw);
    const run = this.logPeriod(base) + interpolate(this.#logShare, base);
    return Math.max(0, run - interpolate(this.#logShare, raw));
  }

  /** Share of seconds whose largest score was below `raw`. */
  shareBelow(raw: number): number {
    return shareIn(this.#logShare, raw);
  }

  /**
   * The least raw score whose return period is at least exp(`logPeriod`); where no peaks come that often, the one whose
   * peaks come most often: below it they run into one another, and an incident would never end.
   */
  rawAt(logPeriod: number): number {
    const table = this.#logPeriod;
    let low = 0;
    let high = GRID_LEVELS - 1;
    if (table[0]! >= logPeriod) return GRID_FIRST + GRID_STEP * this.#commonest();
    if (table[high]! < logPeriod) {
      const slope = table[high]! - table[high - 1]!;
      return slope > 0
        ? GRID_FIRST + GRID_STEP * (high + (logPeriod - table[high]!) / slope)
        : Number.POSITIVE_INFINITY;
    }
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (table[middle]! >= logPeriod) high = middle;
      else low = middle;
    }
    const rise = table[high]! - table[low]!;
    return GRID_FIRST + GRID_STEP * (low + (rise > 0 ? (logPeriod - table[low]!) / rise : 1));
  }

  /** The level whose peaks come most often; the peaks of those below it run into one another. */
  #commonest(): number {
    const table = this.#logPeriod;
    let level = 0;
    while (level < GRID_LEVELS - 1 && table[level + 1] === table[0]) level++;
    return level;
  }
}

/**
 * A pooled tail from counts over `exposure` seconds of many symbols: the counts where there are at least LEAST_PEAKS, and
 * beyond them an exponential whose mean excess is that of the peaks above the level with FIT_PEAKS (peaks over threshold).
 */
export function poolTail(peaks: Float64Array, seconds: Float64Array, exposure: number): PooledTail {
  const logPeriod = new Float64Array(GRID_LEVELS);
  const logShare = new Float64Array(GRID_LEVELS);
  let base = 0;
  while (base + 1 < GRID_LEVELS && peaks[base + 1]! >= FIT_PEAKS) base++;
  let excess = 0;
  for (let i = base + 1; i < GRID_LEVELS; i++) excess += peaks[i]! * GRID_STEP;
  const slope = 1 / Math.max(0.02, excess / Math.max(1, peaks[base]!) + GRID_STEP / 2);
  const secondsAPeak = seconds[base]! / Math.max(1, peaks[base]!);
  for (let i = 0; i < GRID_LEVELS; i++) {
    const counted = peaks[i]! >= LEAST_PEAKS || i === 0;
    const before = i === 0 ? 0 : logPeriod[i - 1]!;
    logPeriod[i] = counted ? log(exposure / Math.max(1, peaks[i]!)) : before + slope * GRID_STEP;
    logShare[i] = counted
      ? log(Math.max(1, seconds[i]!) / exposure)
      : Math.min(logShare[i - 1]!, log(Math.max(1, secondsAPeak)) - logPeriod[i]!);
  }
  makeMonotone(logPeriod);
  return { logPeriod, logShare };
}

/** A low level is passed so often that its peaks run into one: it can't be rarer than the level above it. */
function makeMonotone(logPeriod: Float64Array): void {
  for (let i = GRID_LEVELS - 2; i >= 0; i--) if (logPeriod[i]! > logPeriod[i + 1]!) logPeriod[i] = logPeriod[i + 1]!;
}

/** Index of the highest grid level at or below `raw`; -1 below the grid. */
function levelIndex(raw: number): number {
  const i = Math.floor((raw - GRID_FIRST) / GRID_STEP);
  return i < GRID_LEVELS ? i : GRID_LEVELS - 1;
}

/** ln of the return period, s, and share of seconds below, of a raw score in a pooled tail. */
export function pooledPeriod(tail: PooledTail, raw: number): number {
  return periodIn(tail.logPeriod, raw);
}
export function pooledShare(tail: PooledTail, raw: number): number {
  return shareIn(tail.logShare, raw);
}

function periodIn(logPeriod: Float64Array, raw: number): number {
  return raw < GRID_FIRST ? 0 : Math.min(log(LONGEST_PERIOD_S), interpolate(logPeriod, raw));
}

function shareIn(logShare: Float64Array, raw: number): number {
  return raw < GRID_FIRST ? 0 : 1 - Math.min(1, exp(interpolate(logShare, raw)));
}

/** Linear between levels, and beyond the last on the slope of the last two. */
function interpolate(table: Float64Array, raw: number): number {
  const position = (raw - GRID_FIRST) / GRID_STEP;
  const i = Math.min(Math.floor(position), GRID_LEVELS - 2);
  return table[i]! + (table[i + 1]! - table[i]!) * (position - i);
}
