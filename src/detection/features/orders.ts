/**
 * What the run of taker orders tells: which fills belong together, whether one side keeps coming, whether trades undo
 * each other. Fixed memory, O(1) a trade.
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
/** Orders over which it is learned how often a side follows itself. */
const HABIT_ORDERS = 5000;

/** Evidence beyond this doesn't teach what is usual. */
const FLOW_LEARNED = 40;

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
  flowSum: 10,
  flowSquares: 11,
} as const;
const FIELDS = 12;
const ENTRY = 4;
export const ORDER_STATE: number = FIELDS + RECENT * ENTRY;

export class Orders {
  readonly #s: Float64Array;
  readonly #recent: Float64Array;
  /** What the last trade added, for the windows. */
  orders = 0;
  rush = 0;
  wash = 0;

  constructor(state: Float64Array) {
    this.#s = state.subarray(0, FIELDS);
    this.#recent = state.subarray(FIELDS);
  }

  /** Notional so far of the present taker order. */
  get notional(): number {
    return this.#s[FIELD.notional]!;
  }
  /** Evidence, in nats, that takers keep buying (selling): Page's CUSUM (1954). */
  get buyFlow(): number {
    return this.#s[FIELD.buyFlow]!;
  }
  get sellFlow(): number {
    return this.#s[FIELD.sellFlow]!;
  }

  /**
   * Mean excess of such evidence on this symbol, nats, at least 1: order signs have a long memory (Lillo and Farmer 2004),
   * more of it on some symbols than on others, and for an exponential tail E[S²] / 2E[S] is its scale.
   */
  get flowScale(): number {
    const sum = this.#s[FIELD.flowSum]!;
    return sum > 0 ? Math.max(1, this.#s[FIELD.flowSquares]! / (2 * sum)) : 1;
  }

  push(trade: Trade, quote: number, tick: number): void {
    const s = this.#s;
    const side = trade.side === 'buy' ? 1 : -1;
    const same = s[FIELD.fills]! > 0 && s[FIELD.time] === trade.timestamp && s[FIELD.side] === side;
    if (same) {
      s[FIELD.fills] = s[FIELD.fills]! + 1;
      s[FIELD.notional] = s[FIELD.notional]! + quote;
      this.orders = 0;
      this.rush = s[FIELD.fills] === 2 ? 2 : 1;
      this.wash = 0;
    } else {
      const again = s[FIELD.side] === side;
      s[FIELD.fills] = 1;
      s[FIELD.notional] = quote;
      s[FIELD.side] = side;
      s[FIELD.time] = trade.timestamp;
      this.orders = 1;
      this.rush = 0;
      this.wash = this.#pair(trade, side, tick);
      this.#flow(side, again, trade.timestamp);
    }
    this.#remember(trade, side);
  }

  /** The tape was cut: no order and no run reaches across. */
  restart(): void {
    const s = this.#s;
    s[FIELD.fills] = 0;
    s[FIELD.buyFlow] = 0;
    s[FIELD.sellFlow] = 0;
    this.#recent.fill(0);
  }

  /**
   * Log-likelihood ratios of a run that keeps its side against the symbol's own habit of repeating it. Takers split their
   * orders, so a side follows itself more often than not, and that alone is no news.
   */
  #flow(side: number, again: boolean, timestamp: number): void {
    const s = this.#s;
    const repeats = (s[FIELD.repeats]! + 60) / (s[FIELD.orders]! + 100);
    const kept = exp((-LN2 * Math.max(0, timestamp - s[FIELD.flowTime]!)) / (1000 * FLOW_HALF_LIFE_S));
    const forIt = log(ONE_SIDED / (again ? repeats : 1 - repeats));
    const against = log((1 - ONE_SIDED) / (again ? repeats : 1 - repeats));
    // An order that turns begins a run: evidence for its side counts from the next one on.
    const toBuys = side > 0 ? (again ? forIt : 0) : against;
    const toSells = side < 0 ? (again ? forIt : 0) : against;
    s[FIELD.buyFlow] = Math.max(0, s[FIELD.buyFlow]! * kept + toBuys);
    s[FIELD.sellFlow] = Math.max(0, s[FIELD.sellFlow]! * kept + toSells);
    s[FIELD.flowTime] = timestamp;
    const keep = s[FIELD.orders]! < HABIT_ORDERS ? 1 : 1 - 1 / HABIT_ORDERS;
    s[FIELD.orders] = s[FIELD.orders]! * keep + 1;
    s[FIELD.repeats] = s[FIELD.repeats]! * keep + (again ? 1 : 0);
    const flow = Math.min(FLOW_LEARNED, Math.max(s[FIELD.buyFlow]!, s[FIELD.sellFlow]!));
    s[FIELD.flowSum] = s[FIELD.flowSum]! * keep + flow;
    s[FIELD.flowSquares] = s[FIELD.flowSquares]! * keep + flow * flow;
  }

  /**
   * 1 where the last trade of this size, nearby in time and price, was on the other side; −1 where it was on the same
   * side; 0 where there was none. Were sides dealt at random, both would be as common: their difference is the test.
   */
  #pair({ timestamp, price, volume }: Trade, side: number, tick: number): number {
    const recent = this.#recent;
    const newest = this.#s[FIELD.next]!;
    for (let back = 1; back <= RECENT; back++) {
      const at = ((newest - back + RECENT) % RECENT) * ENTRY;
      if (recent[at + 2] !== volume || timestamp - recent[at]! > PAIR_MS) continue;
      if (Math.abs(recent[at + 1]! - price) > 1.5 * tick) continue;
      return recent[at + 3] === side ? -1 : 1;
    }
    return 0;
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
