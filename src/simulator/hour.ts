/**
 * What a symbol emitted in the hour before, second by second (only seconds with trades are kept), and the records of it
 * against which the size of an anomaly is measured. Seconds that belong to an anomaly set no record.
 */

const FIELDS = 9;
const SECOND = 0;
const TRADES = 1;
const QUOTE = 2;
const CLOSE = 3;
const RUSH = 4;
const PAIRS = 5;
const LARGEST = 6;
const RUN = 7;
const ORDERS = 8;
const HOUR_S = 3600;
/** The longest window of a record, s. */
const LONGEST_S = 60;

export interface Order {
  readonly second: number;
  readonly buy: boolean;
  readonly fills: number;
  readonly quote: number;
  /** Of the first fill in ticks, of the whole in lots. */
  readonly price: number;
  readonly lots: number;
  /** Last fill, ticks. */
  readonly close: number;
  readonly anomalous: boolean;
}

/** Greatest values in any window of so many whole seconds of the hour. */
export interface WindowRecords {
  readonly logReturn: number;
  readonly quote: number;
  readonly trades: number;
  /** Taker orders of two or more fills. */
  readonly rush: number;
  /** Orders followed by one of equal size on the other side within a tick. */
  readonly pairs: number;
  /** Mean number of trades, and mean quote volume, in such a window. */
  readonly usualTrades: number;
  readonly usualQuote: number;
}

export interface HourRecords {
  window(seconds: number): WindowRecords;
  /** Quote notional of the largest taker order. */
  readonly largestOrder: number;
  /** Most taker orders of one side in a row. */
  readonly longestRun: number;
  /** Mean time between taker orders, s. */
  readonly usualWait_s: number;
  readonly orders: number;
}

export class Hour {
  #ring = new Float64Array(64 * FIELDS);
  #anomalous = new Uint8Array(64);
  #capacity = 64;
  #first = 0;
  #size = 0;
  #row = -1;
  /** Price before the first second kept. */
  #before = 0;
  #second = -1;
  #run = 0;
  #buy = false;
  #lots = 0;
  #price = 0;

  add(order: Order): void {
    const { second, buy, fills, lots, price } = order;
    if (second !== this.#second) this.#open(second);
    const ring = this.#ring;
    const at = this.#row * FIELDS;
    const paired = lots === this.#lots && buy !== this.#buy && Math.abs(price - this.#price) <= 1;
    this.#run = buy === this.#buy ? this.#run + 1 : 1;
    this.#buy = buy;
    // Both legs of a pair are spent: three equal orders are one pair.
    this.#lots = paired ? 0 : lots;
    this.#price = price;
    ring[at + TRADES]! += fills;
    ring[at + QUOTE]! += order.quote;
    ring[at + CLOSE] = order.close;
    ring[at + ORDERS]! += 1;
    if (fills > 1) ring[at + RUSH]! += 1;
    if (paired) ring[at + PAIRS]! += 1;
    if (order.quote > ring[at + LARGEST]!) ring[at + LARGEST] = order.quote;
    if (this.#run > ring[at + RUN]!) ring[at + RUN] = this.#run;
    if (order.anomalous) this.#anomalous[this.#row] = 1;
  }

  /** Records of the hour up to and without the second `now`. */
  records(now: number): HourRecords {
    const from = now - HOUR_S;
    const length = HOUR_S + LONGEST_S;
    const dense = Array.from({ length: 5 }, () => new Float64Array(length));
    const [trades, quote, rush, pairs, close] = dense as [
      Float64Array,
      Float64Array,
      Float64Array,
      Float64Array,
      Float64Array,
    ];
    const anomalous = new Uint8Array(length);
    let largestOrder = 0;
    let longestRun = 1;
    let orders = 0;
    close[0] = this.#before;
    for (let i = 0; i < this.#size; i++) {
      const row = (this.#first + i) % this.#capacity;
      const at = row * FIELDS;
      const second = this.#ring[at + SECOND]! - from;
      if (second >= HOUR_S) continue;
      if (second < 0) {
        close[0] = this.#ring[at + CLOSE]!;
        continue;
      }
      close[second] = this.#ring[at + CLOSE]!;
      anomalous[second] = this.#anomalous[row]!;
      if (anomalous[second]) continue;
      trades[second] = this.#ring[at + TRADES]!;
      quote[second] = this.#ring[at + QUOTE]!;
      rush[second] = this.#ring[at + RUSH]!;
      pairs[second] = this.#ring[at + PAIRS]!;
      largestOrder = Math.max(largestOrder, this.#ring[at + LARGEST]!);
      longestRun = Math.max(longestRun, this.#ring[at + RUN]!);
      orders += this.#ring[at + ORDERS]!;
    }
    for (let i = 1; i < HOUR_S; i++) if (close[i] === 0) close[i] = close[i - 1]!;
    const most = (counts: Float64Array, seconds: number): number => greatestSum(counts, seconds);
    const mean = (counts: Float64Array, seconds: number): number =>
      (counts.reduce((sum, count) => sum + count, 0) * seconds) / HOUR_S;
    return {
      largestOrder,
      longestRun,
      orders,
      usualWait_s: HOUR_S / Math.max(1, orders),
      window: (seconds) => ({
        logReturn: greatestReturn(close, anomalous, seconds),
        quote: most(quote, seconds),
        trades: most(trades, seconds),
        rush: most(rush, seconds),
        pairs: most(pairs, seconds),
        usualTrades: mean(trades, seconds),
        usualQuote: mean(quote, seconds),
      }),
    };
  }

  #open(second: number): void {
    this.#second = second;
    while (this.#size > 0 && this.#ring[this.#first * FIELDS]! < second - HOUR_S - LONGEST_S) {
      this.#before = this.#ring[this.#first * FIELDS + CLOSE]!;
      this.#first = (this.#first + 1) % this.#capacity;
      this.#size--;
    }
    if (this.#size === this.#capacity) this.#grow();
    this.#row = (this.#first + this.#size) % this.#capacity;
    this.#size++;
    this.#ring.fill(0, this.#row * FIELDS, (this.#row + 1) * FIELDS);
    this.#ring[this.#row * FIELDS] = second;
    this.#anomalous[this.#row] = 0;
  }

  #grow(): void {
    const ring = new Float64Array(2 * this.#capacity * FIELDS);
    const anomalous = new Uint8Array(2 * this.#capacity);
    for (let i = 0; i < this.#size; i++) {
      const row = (this.#first + i) % this.#capacity;
      ring.set(this.#ring.subarray(row * FIELDS, (row + 1) * FIELDS), i * FIELDS);
      anomalous[i] = this.#anomalous[row]!;
    }
    this.#ring = ring;
    this.#anomalous = anomalous;
    this.#first = 0;
    this.#capacity *= 2;
  }
}

function greatestSum(counts: Float64Array, seconds: number): number {
  let sum = 0;
  let greatest = 0;
  for (let i = 0; i < HOUR_S; i++) {
    sum += counts[i]! - (i >= seconds ? counts[i - seconds]! : 0);
    if (sum > greatest) greatest = sum;
  }
  return greatest;
}

/** Windows that hold a second of an anomaly are left out. */
function greatestReturn(close: Float64Array, anomalous: Uint8Array, seconds: number): number {
  let greatest = 0;
  let bad = 0;
  for (let i = 0; i < HOUR_S; i++) {
    bad += anomalous[i]! - (i > seconds ? anomalous[i - seconds - 1]! : 0);
    const before = i >= seconds ? close[i - seconds]! : 0;
    if (bad > 0 || before === 0) continue;
    const move = Math.abs(Math.log(close[i]! / before));
    if (move > greatest) greatest = move;
  }
  return greatest;
}
