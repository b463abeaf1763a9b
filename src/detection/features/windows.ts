/**
 * Rolling features of one symbol in O(1) a trade: seconds in a ring, sums over windows, and for each window the running
 * mean and variance of its values. A window of w seconds is the current second and the w − 1 before it.
 */
import { exp, LN2 } from '../math.ts';
import { absorb, absorbZeros, nextWeight } from './baseline.ts';
import {
  BUCKET,
  BUCKET_FIELDS,
  COARSE,
  COARSE_BUCKETS,
  COARSE_FIELDS,
  COARSE_SECONDS,
  LAG,
  RING_SECONDS,
  SCALAR,
  SERIES,
  SERIES_COUNT,
  STRIDES,
  SUM,
  SUMS,
  WINDOWS,
} from './layout.ts';

const HALF_LIFE_S = 48 * 3600;
const DECAYS: readonly number[] = STRIDES.map((stride) => exp((-LN2 * stride) / HALF_LIFE_S));
/** A baseline is worth asking after this many samples. */
const LEAST_SAMPLES = 30;
/** Silent seconds after which every window and every waiting sample is zero. */
const SETTLE_S = 2 * WINDOWS[2] + STRIDES[2];

export const WINDOW_COUNT: number = WINDOWS.length;
export const VALUES: number = WINDOW_COUNT * SERIES_COUNT;

/** Doubles that the windows of one symbol take. */
export const WINDOW_STATE: number =
  RING_SECONDS * BUCKET_FIELDS +
  WINDOW_COUNT * SUMS +
  COARSE_BUCKETS * COARSE_FIELDS +
  VALUES * (4 + LAG) +
  WINDOW_COUNT * 2 +
  BUCKET_FIELDS;

export class Windows {
  /** Present value of each series of each window: `window × SERIES_COUNT + series`. */
  readonly value: Float64Array;
  /** z-score of each value against its baseline. */
  readonly z: Float64Array = new Float64Array(VALUES);
  readonly mean: Float64Array;
  readonly variance: Float64Array;
  readonly #scalar: Float64Array;
  readonly #ring: Float64Array;
  readonly #sum: Float64Array;
  readonly #coarse: Float64Array;
  readonly #waiting: Float64Array;
  readonly #weight: Float64Array;
  readonly #waitingCount: Float64Array;
  /** 1 / scale of each value, as of its last sample: state, since the tick and the price move in between. */
  readonly #inverse: Float64Array;
  /** The second that is open; it joins the ring when it closes. */
  readonly #current: Float64Array;
  #reference0 = 0;
  #reference1 = 0;
  #reference2 = 0;

  /** `state` has WINDOW_STATE doubles; a zeroed one is a new symbol. */
  constructor(scalar: Float64Array, state: Float64Array) {
    let at = 0;
    const take = (length: number): Float64Array => {
      const part = state.subarray(at, at + length);
      at += length;
      return part;
    };
    this.#scalar = scalar;
    this.#ring = take(RING_SECONDS * BUCKET_FIELDS);
    this.#sum = take(WINDOW_COUNT * SUMS);
    this.#coarse = take(COARSE_BUCKETS * COARSE_FIELDS);
    this.value = take(VALUES);
    this.mean = take(VALUES);
    this.variance = take(VALUES);
    this.#inverse = take(VALUES);
    this.#waiting = take(VALUES * LAG);
    this.#weight = take(WINDOW_COUNT);
    this.#waitingCount = take(WINDOW_COUNT);
    this.#current = take(BUCKET_FIELDS);
    this.derive();
  }

  /** Recomputes what follows from the state: after the state was replaced. */
  derive(): void {
    const second = this.#scalar[SCALAR.second]!;
    this.#findReferences(second);
  }

  /** Opens the bucket of `second`, which no trade has had yet. */
  openSecond(second: number): void {
    this.#current.fill(0);
    this.#findReferences(second);
  }

  /** Counts a trade, or the many trades of a history bar, into the current second. */
  add(price: number, quote: number, buyQuote: number, trades: number, buys: number): void {
    const current = this.#current;
    current[BUCKET.trades] = current[BUCKET.trades]! + trades;
    current[BUCKET.buys] = current[BUCKET.buys]! + buys;
    current[BUCKET.quote] = current[BUCKET.quote]! + quote;
    current[BUCKET.buyQuote] = current[BUCKET.buyQuote]! + buyQuote;
    current[BUCKET.close] = price;
  }

  /** Counts what is known of the present taker order: its fills beyond the first, its notional so far. */
  addOrder(rush: number, notional: number): void {
    const current = this.#current;
    current[BUCKET.rush] = current[BUCKET.rush]! + rush;
    if (notional > current[BUCKET.largest]!) current[BUCKET.largest] = notional;
  }

  get secondRush(): number {
    return this.#current[BUCKET.rush]!;
  }
  get secondLargest(): number {
    return this.#current[BUCKET.largest]!;
  }

  /** Fills `value` and `z` as of the present trade; `logReturns` gives ln(price / reference). */
  measure(logReturns: (reference: number) => number): void {
    const { value, z, mean } = this;
    const inverse = this.#inverse;
    const sum = this.#sum;
    const current = this.#current;
    for (let w = 0; w < WINDOW_COUNT; w++) {
      const s = w * SUMS;
      const v = w * SERIES_COUNT;
      const trades = sum[s + SUM.trades]! + current[BUCKET.trades]!;
      const buys = sum[s + SUM.buys]! + current[BUCKET.buys]!;
      const sells = trades - buys;
      value[v + SERIES.buys] = buys;
      value[v + SERIES.sells] = sells;
      value[v + SERIES.netBuys] = buys > sells ? buys - sells : 0;
      value[v + SERIES.netSells] = sells > buys ? sells - buys : 0;
      const reference = w === 0 ? this.#reference0 : w === 1 ? this.#reference1 : this.#reference2;
      value[v + SERIES.logReturn] = reference > 0 ? logReturns(reference) : 0;
      value[v + SERIES.trades] = trades;
      value[v + SERIES.quote] = sum[s + SUM.quote]! + current[BUCKET.quote]!;
    }
    for (let i = 0; i < VALUES; i++) z[i] = (value[i]! - mean[i]!) * inverse[i]!;
  }

  /**
   * Closes the present second: `value` (already measured at its end) joins the waiting samples, sums move on.
   * `learn` is false while the windows are not whole.
   */
  closeSecond(second: number, learn: boolean, logReturns: (reference: number) => number): void {
    const current = this.#current;
    this.#ring.set(current, (second & (RING_SECONDS - 1)) * BUCKET_FIELDS);
    const before = this.#closeAt(second - 1);
    const r = before > 0 ? logReturns(before) : 0;
    const squaredReturn = r * r;
    const c = this.#coarseBucket(second);
    this.#coarse[c + COARSE.trades] = this.#coarse[c + COARSE.trades]! + current[BUCKET.trades]!;
    this.#coarse[c + COARSE.quote] = this.#coarse[c + COARSE.quote]! + current[BUCKET.quote]!;
    this.#coarse[c + COARSE.squaredReturn] = this.#coarse[c + COARSE.squaredReturn]! + squaredReturn;
    this.#scalar[SCALAR.coarseTrades] = this.#scalar[SCALAR.coarseTrades]! + current[BUCKET.trades]!;
    this.#scalar[SCALAR.coarseQuote] = this.#scalar[SCALAR.coarseQuote]! + current[BUCKET.quote]!;
    this.#scalar[SCALAR.coarseSquaredReturn] = this.#scalar[SCALAR.coarseSquaredReturn]! + squaredReturn;
    if (learn) this.#sampleDue(second);
    this.#shift(second, true);
  }

  /** Steps over `count` silent seconds after `second`, learning their zeros. */
  learnSilence(second: number, count: number, logReturns: (reference: number) => number): void {
    const stepped = count < SETTLE_S ? count : SETTLE_S;
    for (let k = 1; k <= stepped; k++) {
      const at = second + k;
      const slot = (at & (RING_SECONDS - 1)) * BUCKET_FIELDS;
      const before = ((at - 1) & (RING_SECONDS - 1)) * BUCKET_FIELDS;
      for (let f = 0; f < BUCKET.close; f++) this.#ring[slot + f] = 0;
      this.#ring[slot + BUCKET.close] = this.#ring[before + BUCKET.close]!;
      this.#current.fill(0);
      if (at % STRIDES[0] === 0 || at % STRIDES[1] === 0 || at % STRIDES[2] === 0) {
        this.#findReferences(at);
        this.measure(logReturns);
        this.#sampleDue(at);
      }
      this.#shift(at, false);
    }
    const rest = count - stepped;
    if (rest > 0) this.#skipZeros(second + stepped, rest);
  }

  /** Forgets the windows, not the baselines: after a gap, a halt, at the start. */
  restart(): void {
    this.#ring.fill(0);
    this.#sum.fill(0);
    this.#waitingCount.fill(0);
    this.#current.fill(0);
    this.#coarse.fill(0);
    for (const s of [SCALAR.coarseTrades, SCALAR.coarseQuote, SCALAR.coarseSquaredReturn]) this.#scalar[s] = 0;
    this.#reference0 = 0;
    this.#reference1 = 0;
    this.#reference2 = 0;
  }

  #findReferences(second: number): void {
    this.#reference0 = this.#closeAt(second - WINDOWS[0]);
    this.#reference1 = this.#closeAt(second - WINDOWS[1]);
    this.#reference2 = this.#closeAt(second - WINDOWS[2]);
  }

  #closeAt(second: number): number {
    return this.#ring[(second & (RING_SECONDS - 1)) * BUCKET_FIELDS + BUCKET.close]!;
  }

  /** Moves every window's sums past `second`: the second joins where it had trades, the oldest leaves. */
  #shift(second: number, joins: boolean): void {
    const ring = this.#ring;
    const sum = this.#sum;
    for (let w = 0; w < WINDOW_COUNT; w++) {
      const s = w * SUMS;
      const leaving = ((second - WINDOWS[w]! + 1) & (RING_SECONDS - 1)) * BUCKET_FIELDS;
      const leaves = ring[leaving + BUCKET.trades]! > 0;
      if (!joins && !leaves) continue;
      for (let f = 0; f < SUMS; f++) {
        const joining = joins ? this.#current[f]! : 0;
        sum[s + f] = sum[s + f]! + joining - (leaves ? ring[leaving + f]! : 0);
      }
      // Differences of sums leave rounding behind; an empty window is exactly empty.
      if (sum[s + SUM.trades] === 0) sum.fill(0, s, s + SUMS);
    }
  }

  #sampleDue(second: number): void {
    // As an int32, so that the remainder is one of integers (until 2038).
    const s = second | 0;
    if (s % STRIDES[0] === 0) this.#sample(0);
    if (s % STRIDES[1] === 0) this.#sample(1);
    if (s % STRIDES[2] === 0) this.#sample(2);
  }

  #sample(w: number): void {
    const count = this.#waitingCount[w]!;
    const first = w * SERIES_COUNT;
    const slot = count % LAG;
    const full = count >= LAG;
    if (full) this.#weight[w] = nextWeight(this.#weight[w]!, DECAYS[w]!);
    for (let i = first; i < first + SERIES_COUNT; i++) {
      const at = i * LAG + slot;
      if (full) absorb(this.mean, this.variance, i, this.#waiting[at]!, this.#weight[w]!);
      this.#waiting[at] = this.value[i]!;
    }
    this.#waitingCount[w] = count + 1 < 2 * LAG ? count + 1 : LAG + ((count + 1) % LAG);
    if (full) this.#invert(w);
  }

  /** Every sample from here on is zero, and so is every waiting one. */
  #skipZeros(second: number, count: number): void {
    for (let w = 0; w < WINDOW_COUNT; w++) {
      const stride = STRIDES[w]!;
      const samples = Math.floor((second + count) / stride) - Math.floor(second / stride);
      if (samples === 0) continue;
      const kept = exp((-LN2 * stride * samples) / HALF_LIFE_S);
      const before = this.#weight[w]! * kept;
      const weight = before + (1 - kept) / (1 - DECAYS[w]!);
      this.#weight[w] = weight;
      const first = w * SERIES_COUNT;
      for (let i = first; i < first + SERIES_COUNT; i++) absorbZeros(this.mean, this.variance, i, before / weight);
      this.#waitingCount[w] = LAG + ((this.#waitingCount[w]! + samples) % LAG);
      this.#invert(w);
    }
    const close = this.#closeAt(second);
    this.#ring.fill(0);
    for (let slot = 0; slot < RING_SECONDS; slot++) this.#ring[slot * BUCKET_FIELDS + BUCKET.close] = close;
  }

  #invert(w: number): void {
    const ready = this.#weight[w]! >= LEAST_SAMPLES;
    const price = this.#scalar[SCALAR.price]!;
    const quarterTick = price > 0 ? (0.25 * this.#scalar[SCALAR.tick]!) / price : 0;
    const first = w * SERIES_COUNT;
    for (let i = first; i < first + SERIES_COUNT; i++) {
      let deviation = Math.sqrt(this.variance[i]!);
      if (i === first + SERIES.logReturn && deviation < quarterTick) deviation = quarterTick;
      const scale = deviation + 0.001 * Math.abs(this.mean[i]!);
      this.#inverse[i] = ready && scale > 0 ? 1 / scale : 0;
    }
  }

  #coarseBucket(second: number): number {
    const index = Math.floor(second / COARSE_SECONDS);
    const scalar = this.#scalar;
    const last = scalar[SCALAR.coarseIndex]!;
    const passed = index - last;
    if (passed > 0) {
      const clear = passed < COARSE_BUCKETS ? passed : COARSE_BUCKETS;
      for (let k = 1; k <= clear; k++) this.#dropCoarse(((last + k) % COARSE_BUCKETS) * COARSE_FIELDS);
      if (clear === COARSE_BUCKETS || scalar[SCALAR.coarseTrades] === 0) {
        scalar[SCALAR.coarseQuote] = 0;
        scalar[SCALAR.coarseSquaredReturn] = 0;
      }
      scalar[SCALAR.coarseIndex] = index;
    }
    return (index % COARSE_BUCKETS) * COARSE_FIELDS;
  }

  #dropCoarse(c: number): void {
    const scalar = this.#scalar;
    scalar[SCALAR.coarseTrades] = scalar[SCALAR.coarseTrades]! - this.#coarse[c + COARSE.trades]!;
    scalar[SCALAR.coarseQuote] = scalar[SCALAR.coarseQuote]! - this.#coarse[c + COARSE.quote]!;
    scalar[SCALAR.coarseSquaredReturn] = scalar[SCALAR.coarseSquaredReturn]! - this.#coarse[c + COARSE.squaredReturn]!;
    this.#coarse.fill(0, c, c + COARSE_FIELDS);
  }
}
