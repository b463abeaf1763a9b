/**
 * What the run of taker orders tells: which fills belong together, how large orders usually are, whether one side keeps
 * coming, whether trades undo each other. Fixed memory, O(1) a trade.
 */
import type { Trade } from '../../market/records.ts';
import { exp, LN2, log } from '../math.ts';

/** Trades that a new one is compared with, for pairs of equal size. */
const RECENT = 8;
const PAIR_MS = 10_000;
/** Chance that an order of a one-sided run is on the side of the one before it. */
const ONE_SIDED = 0.96;
/** Evidence of one-sided flow halves in this time, s. */
const FLOW_HALF_LIFE_S = 300;
/** Orders over which habits are learned: how large orders are, how often a side follows itself. */
const HABIT_ORDERS = 5000;
/** Orders from which on their usual size is worth asking. */
const LEAST_ORDERS = 30;
/** Least variance of an order's ln notional: all of one size are no reason to wonder at another. */
const LEAST_VARIANCE = 0.01;

const FIELD = {
  time: 0,
  side: 1,
  fills: 2,
  notional: 3,
  buyFlow: 4,
  sellFlow: 5,
  flowTime: 6,
  repeats: 7,
  orders: 8,
  next: 9,
  sized: 10,
  logMean: 11,
  logVariance: 12,
} as const;
const FIELDS = 13;
const ENTRY = 4;
export const ORDER_STATE: number = FIELDS + RECENT * ENTRY;

export class Orders {
  readonly #s: Float64Array;
  readonly #recent: Float64Array;
  /** What the last trade added, for the windows: orders begun, those of several fills, pairs and how many of them undo. */
  orders = 0;
  rush = 0;
  pairs = 0;
  undone = 0;
  /** How large the present order is among the symbol's own, in deviations of ln notional; 0 below the mean. */
  size = 0;

  constructor(state: Float64Array) {
    this.#s = state.subarray(0, FIELDS);
    this.#recent = state.subarray(FIELDS);
  }

  /** Notional so far of the present taker order. */
  get notional(): number {
    return this.#s[FIELD.notional]!;
  }
  /** Notional of a typical order (the geometric mean); 0 while unknown. */
  get usualNotional(): number {
    return this.#s[FIELD.sized]! >= LEAST_ORDERS ? exp(this.#s[FIELD.logMean]!) : 0;
  }
  /** Evidence, in nats, that takers keep buying (selling): Page's CUSUM (1954). */
  get buyFlow(): number {
    return this.#s[FIELD.buyFlow]!;
  }
  get sellFlow(): number {
    return this.#s[FIELD.sellFlow]!;
  }
  get flow(): number {
    return this.buyFlow > this.sellFlow ? this.buyFlow : this.sellFlow;
  }

  push(trade: Trade, quote: number, tick: number): void {
    const s = this.#s;
    const side = trade.side === 'buy' ? 1 : -1;
    const same = s[FIELD.fills]! > 0 && s[FIELD.time] === trade.timestamp && s[FIELD.side] === side;
    this.pairs = 0;
    this.undone = 0;
    if (same) {
      s[FIELD.fills] = s[FIELD.fills]! + 1;
      s[FIELD.notional] = s[FIELD.notional]! + quote;
      this.orders = 0;
      this.rush = s[FIELD.fills] === 2 ? 1 : 0;
    } else {
      this.#learnSize();
      this.#pair(trade, side, tick);
      this.#flow(side, s[FIELD.side] === side, trade.timestamp);
      s[FIELD.fills] = 1;
      s[FIELD.notional] = quote;
      s[FIELD.side] = side;
      s[FIELD.time] = trade.timestamp;
      this.orders = 1;
      this.rush = 0;
    }
    this.#remember(trade, side);
    this.size = this.#measureSize();
  }

  /** The tape was cut: no order and no run reaches across. */
  restart(): void {
    const s = this.#s;
    s[FIELD.fills] = 0;
    s[FIELD.buyFlow] = 0;
    s[FIELD.sellFlow] = 0;
    this.#recent.fill(0);
  }

  #measureSize(): number {
    const s = this.#s;
    if (s[FIELD.sized]! < LEAST_ORDERS || !(s[FIELD.notional]! > 0)) return 0;
    const above = log(s[FIELD.notional]!) - s[FIELD.logMean]!;
    return above > 0 ? above / Math.sqrt(s[FIELD.logVariance]! + LEAST_VARIANCE) : 0;
  }

  /** The order before is complete: its size joins the habit (Welford's mean and variance, forgetting after a while). */
  #learnSize(): void {
    const s = this.#s;
    if (s[FIELD.fills] === 0 || !(s[FIELD.notional]! > 0)) return;
    const x = log(s[FIELD.notional]!);
    const n = Math.min(s[FIELD.sized]! + 1, HABIT_ORDERS);
    const delta = x - s[FIELD.logMean]!;
    s[FIELD.sized] = n;
    s[FIELD.logMean] = s[FIELD.logMean]! + delta / n;
    s[FIELD.logVariance] = s[FIELD.logVariance]! + (delta * (x - s[FIELD.logMean]!) - s[FIELD.logVariance]!) / n;
  }

  /**
   * Log-likelihood ratios of a run that keeps its side against the symbol's own habit of repeating it. Takers split their
   * orders, so a side follows itself more often than not (Lillo and Farmer 2004), and that alone is no news.
   */
  #flow(side: number, again: boolean, timestamp: number): void {
    const s = this.#s;
    const repeats = (s[FIELD.repeats]! + 60) / (s[FIELD.orders]! + 100);
    const kept = exp((-LN2 * Math.max(0, timestamp - s[FIELD.flowTime]!)) / (1000 * FLOW_HALF_LIFE_S));
    const forIt = again ? log(ONE_SIDED / repeats) : 0;
    const against = log((1 - ONE_SIDED) / (again ? repeats : 1 - repeats));
    // An order that turns begins a run: evidence for its side counts from the next one on.
    const toBuys = side > 0 ? forIt : against;
    const toSells = side < 0 ? forIt : against;
    s[FIELD.buyFlow] = Math.max(0, s[FIELD.buyFlow]! * kept + toBuys);
    s[FIELD.sellFlow] = Math.max(0, s[FIELD.sellFlow]! * kept + toSells);
    s[FIELD.flowTime] = timestamp;
    const keep = s[FIELD.orders]! < HABIT_ORDERS ? 1 : 1 - 1 / HABIT_ORDERS;
    s[FIELD.orders] = s[FIELD.orders]! * keep + 1;
    s[FIELD.repeats] = s[FIELD.repeats]! * keep + (again ? 1 : 0);
  }

  /**
   * Looks for the last trade of this size, nearby in time and price: one on the other side is undone by this one, one on
   * the same side is repeated. Were sides dealt at random both would be as common: their difference is the test.
   */
  #pair({ timestamp, price, volume }: Trade, side: number, tick: number): void {
    const recent = this.#recent;
    const newest = this.#s[FIELD.next]!;
    for (let back = 1; back <= RECENT; back++) {
      const at = ((newest - back + RECENT) % RECENT) * ENTRY;
      if (recent[at + 2] !== volume || timestamp - recent[at]! > PAIR_MS) continue;
      if (Math.abs(recent[at + 1]! - price) > 1.5 * tick) continue;
      this.pairs = 1;
      this.undone = recent[at + 3] === side ? 0 : 1;
      return;
    }
  }

  #remember({ timestamp, price, volume }: Trade, side: number): void {
    const at = this.#s[FIELD.next]! * ENTRY;
    const recent = this.#recent;
    recent[at] = timestamp;
    recent[at + 1] = price;
    recent[at + 2] = volume;
    recent[at + 3] = side;
    this.#s[FIELD.next] = (this.#s[FIELD.next]! + 1) % RECENT;
  }
}
