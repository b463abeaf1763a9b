/**
 * Rolling features of one symbol in O(1) a trade: seconds in a ring, sums over windows, and for each window the running
 * mean and variance of its values. A window of w seconds is the current second and the w − 1 before it.
 */
import { exp, LN2, log } from '../math.ts';
import { absorb, absorbZeros, nextWeight } from './baseline.ts';
import {
  BUCKET,
  BUCKET_FIELDS,
  FIRST_ORDER_SERIES,
  LAG,
  RING_SECONDS,
  SCALAR,
  SERIES,
  SERIES_COUNT,
  STRIDES,
  SUMS,
  WINDOWS,
} from './layout.ts';
import type { Orders } from './orders.ts';

const HALF_LIFE_S = 48 * 3600;
const DECAYS: readonly number[] = STRIDES.map((stride) => exp((-LN2 * stride) / HALF_LIFE_S));
/** A baseline is worth asking after this many samples. */
const LEAST_SAMPLES = 30;
/** Silent seconds after which every window and every waiting sample is zero. */
const SETTLE_S = 2 * WINDOWS[2] + STRIDES[2];
/** Trades needed before a window's order series are whole and so are the samples that wait. */
export const ORDERS_SETTLE_S: number = WINDOWS[2] + LAG * STRIDES[2];

export const WINDOW_COUNT: number = WINDOWS.length;
export const VALUES: number = WINDOW_COUNT * SERIES_COUNT;
/** Pairs that a sign test of undone against repeated ones is damped by. */
const PAIRS_PRIOR = 4;
const OF_BARS = 0;
const OF_ORDERS = 1;

/** Doubles that the windows of one symbol take. */
export const WINDOW_STATE: number =
  RING_SECONDS * BUCKET_FIELDS + WINDOW_COUNT * SUMS + VALUES * (4 + LAG) + WINDOW_COUNT * 3 + BUCKET_FIELDS;

export class Windows {
  /** Present value of each series of each window: `window × SERIES_COUNT + series`. */
  readonly value: Float64Array;
  /** z-score of each value against its baseline. */
  readonly z: Float64Array = new Float64Array(VALUES);
  readonly mean: Float64Array;
  readonly variance: Float64Array;
  /** 1 / scale of each value, as of its last sample: state, since the tick and the price move in between. */
  readonly inverse: Float64Array;
  /** Notional of the largest taker order in each window, the present second left out. */
  readonly largestBefore: Float64Array = new Float64Array(WINDOW_COUNT);
  /** ln of the usual number of taker orders a second, 0 while unknown. */
  logOrderRate = 0;
  readonly #scalar: Float64Array;
  readonly #ring: Float64Array;
  readonly #sum: Float64Array;
  readonly #waiting: Float64Array;
  /** Weights of the baselines: `group × WINDOW_COUNT + window`. */
  readonly #weight: Float64Array;
  readonly #waitingCount: Float64Array;
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
    this.value = take(VALUES);
    this.mean = take(VALUES);
    this.variance = take(VALUES);
    this.inverse = take(VALUES);
    this.#waiting = take(VALUES * LAG);
    this.#weight = take(2 * WINDOW_COUNT);
    this.#waitingCount = take(WINDOW_COUNT);
    this.#current = take(BUCKET_FIELDS);
    this.#derive(scalar[SCALAR.second]!);
  }

  /** Opens the bucket of `second`, which no trade has had yet. */
  openSecond(second: number): void {
    this.#current.fill(0);
    this.#derive(second);
  }

  /** Counts a trade, or the many trades of a history bar, into the current second. */
  add(price: number, quote: number, trades: number, buys: number): void {
    const current = this.#current;
    current[BUCKET.trades] = current[BUCKET.trades]! + trades;
    current[BUCKET.buys] = current[BUCKET.buys]! + buys;
    current[BUCKET.quote] = current[BUCKET.quote]! + quote;
    current[BUCKET.close] = price;
  }

  /** Counts what the present trade says of taker orders. */
  addOrder({ orders, rush, pairs, undone, notional }: Orders): void {
    const current = this.#current;
    current[BUCKET.orders] = current[BUCKET.orders]! + orders;
    current[BUCKET.rush] = current[BUCKET.rush]! + rush;
    current[BUCKET.pairs] = current[BUCKET.pairs]! + pairs;
    current[BUCKET.undone] = current[BUCKET.undone]! + undone;
    if (notional > current[BUCKET.largest]!) current[BUCKET.largest] = notional;
  }

  /** Notional of the largest taker order in a window. */
  largest(window: number): number {
    return Math.max(this.largestBefore[window]!, this.#current[BUCKET.largest]!);
  }

  /** Fills `value` and `z` as of the present trade. */
  measure(): void {
    const { value, z, mean, inverse } = this;
    const sum = this.#sum;
    const current = this.#current;
    const price = this.#scalar[SCALAR.price]!;
    for (let w = 0; w < WINDOW_COUNT; w++) {
      const s = w * SUMS;
      const v = w * SERIES_COUNT;
      const trades = sum[s + BUCKET.trades]! + current[BUCKET.trades]!;
      const buys = sum[s + BUCKET.buys]! + current[BUCKET.buys]!;
      const sells = trades - buys;
      value[v + SERIES.buys] = buys;
      value[v + SERIES.sells] = sells;
      value[v + SERIES.netBuys] = buys > sells ? buys - sells : 0;
      value[v + SERIES.netSells] = sells > buys ? sells - buys : 0;
      const reference = w === 0 ? this.#reference0 : w === 1 ? this.#reference1 : this.#reference2;
      value[v + SERIES.logReturn] = reference > 0 ? log(price / reference) : 0;
      value[v + SERIES.trades] = trades;
      value[v + SERIES.quote] = sum[s + BUCKET.quote]! + current[BUCKET.quote]!;
      value[v + SERIES.orders] = sum[s + BUCKET.orders]! + current[BUCKET.orders]!;
      value[v + SERIES.rush] = sum[s + BUCKET.rush]! + current[BUCKET.rush]!;
      const pairs = sum[s + BUCKET.pairs]! + current[BUCKET.pairs]!;
      const undone = sum[s + BUCKET.undone]! + current[BUCKET.undone]!;
      value[v + SERIES.wash] = pairs > 0 ? (2 * undone - pairs) / Math.sqrt(pairs + PAIRS_PRIOR) : 0;
    }
    for (let i = 0; i < VALUES; i++) z[i] = (value[i]! - mean[i]!) * inverse[i]!;
  }

  /**
   * Closes the present second: `value`, as its last trade left it, joins the waiting samples, sums move on.
   * `learn` is false while the windows are not whole.
   */
  closeSecond(second: number, learn: boolean): void {
    const current = this.#current;
    this.#ring.set(current, (second & (RING_SECONDS - 1)) * BUCKET_FIELDS);
    if (learn) this.#sampleDue(second);
    this.#shift(second, true);
  }

  /** Steps over `count` silent seconds after `second`, learning their zeros. */
  learnSilence(second: number, count: number): void {
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
        this.measure();
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
    this.largestBefore.fill(0);
    this.#reference0 = 0;
    this.#reference1 = 0;
    this.#reference2 = 0;
  }

  /** What follows from the state while `second` is open. */
  #derive(second: number): void {
    this.#findReferences(second);
    const ring = this.#ring;
    let largest = 0;
    let w = 0;
    for (let back = 1; back < WINDOWS[2]; back++) {
      if (back === WINDOWS[w]) this.largestBefore[w++] = largest;
      const x = ring[((second - back) & (RING_SECONDS - 1)) * BUCKET_FIELDS + BUCKET.largest]!;
      if (x > largest) largest = x;
    }
    this.largestBefore[2] = largest;
    const at = (WINDOW_COUNT - 1) * SERIES_COUNT + SERIES.orders;
    this.logOrderRate = this.inverse[at]! > 0 && this.mean[at]! > 0 ? log(this.mean[at]! / WINDOWS[2]) : 0;
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
      if (sum[s + BUCKET.trades] === 0) sum.fill(0, s, s + SUMS);
    }
  }

  #sampleDue(second: number): void {
    // As an int32, so that the remainder is one of integers (until 2038).
    const s = second | 0;
    if (s % STRIDES[0] === 0) this.#sample(0, second);
    if (s % STRIDES[1] === 0) this.#sample(1, second);
    if (s % STRIDES[2] === 0) this.#sample(2, second);
  }

  #sample(w: number, second: number): void {
    const count = this.#waitingCount[w]!;
    const slot = count % LAG;
    const from = w * SERIES_COUNT;
    if (count >= LAG) {
      const orders = second >= this.#scalar[SCALAR.ordersFrom]! && this.#scalar[SCALAR.ordersFrom]! >= 0;
      this.#absorb(OF_BARS, w, from, from + FIRST_ORDER_SERIES, slot);
      if (orders) this.#absorb(OF_ORDERS, w, from + FIRST_ORDER_SERIES, from + SERIES_COUNT, slot);
      this.#invert(w);
    }
    for (let i = from; i < from + SERIES_COUNT; i++) this.#waiting[i * LAG + slot] = this.value[i]!;
    this.#waitingCount[w] = count + 1 < 2 * LAG ? count + 1 : LAG + ((count + 1) % LAG);
  }

  #absorb(group: number, w: number, from: number, to: number, slot: number): void {
    const weight = nextWeight(this.#weight[group * WINDOW_COUNT + w]!, DECAYS[w]!);
    this.#weight[group * WINDOW_COUNT + w] = weight;
    for (let i = from; i < to; i++) absorb(this.mean, this.variance, i, this.#waiting[i * LAG + slot]!, weight);
  }

  /** Every sample from here on is zero, and so is every waiting one. */
  #skipZeros(second: number, count: number): void {
    for (let w = 0; w < WINDOW_COUNT; w++) {
      const stride = STRIDES[w]!;
      const samples = Math.floor((second + count) / stride) - Math.floor(second / stride);
      if (samples === 0) continue;
      const decay = exp((-LN2 * stride * samples) / HALF_LIFE_S);
      for (const group of [OF_BARS, OF_ORDERS]) {
        const at = group * WINDOW_COUNT + w;
        if (this.#weight[at] === 0) continue;
        const before = this.#weight[at]! * decay;
        const weight = before + (1 - decay) / (1 - DECAYS[w]!);
        this.#weight[at] = weight;
        const from = group === OF_BARS ? 0 : FIRST_ORDER_SERIES;
        const to = group === OF_BARS ? FIRST_ORDER_SERIES : SERIES_COUNT;
        for (let series = from; series < to; series++)
          absorbZeros(this.mean, this.variance, w * SERIES_COUNT + series, before / weight);
      }
      this.#waitingCount[w] = LAG + ((this.#waitingCount[w]! + samples) % LAG);
      this.#invert(w);
    }
    const close = this.#closeAt(second);
    this.#ring.fill(0);
    for (let slot = 0; slot < RING_SECONDS; slot++) this.#ring[slot * BUCKET_FIELDS + BUCKET.close] = close;
  }

  /**
   * Scales. No deviation is less than a tape could show: a quarter tick of a return, so that a price that hops across one
   * is no event; half the Poisson one of a count and a tenth of the mean volume, so that flat data raise no alarm.
   */
  #invert(w: number): void {
    const first = w * SERIES_COUNT;
    const price = this.#scalar[SCALAR.price]!;
    const quarterTick = price > 0 ? this.#scalar[SCALAR.tick]! / (4 * price) : 0;
    for (let series = 0; series < SERIES_COUNT; series++) {
      const i = first + series;
      const group = series < FIRST_ORDER_SERIES ? OF_BARS : OF_ORDERS;
      const ready = this.#weight[group * WINDOW_COUNT + w]! >= LEAST_SAMPLES;
      const mean = Math.abs(this.mean[i]!);
      const least = leastVariance(series, mean, quarterTick);
      const variance = this.variance[i]!;
      const scale = Math.sqrt(variance > least ? variance : least) + 0.001 * mean;
      this.inverse[i] = ready && scale > 0 ? 1 / scale : 0;
    }
  }
}

function leastVariance(series: number, mean: number, quarterTick: number): number {
  if (series === SERIES.logReturn) return quarterTick * quarterTick;
  if (series === SERIES.quote) return 0.01 * mean * mean;
  if (series === SERIES.wash) return 0.5625;
  return series === SERIES.rush ? Math.max(0.25, mean / 4) : mean / 4;
}
