/** The tape as orders: fills of one taker order share time and side. Large and rushing ones are known by what is usual. Pure. */
import type { Trade } from '../../src/market/records.ts';

export interface Order {
  readonly key: string;
  readonly timestamp: number;
  readonly side: Trade['side'];
  /** Last price it reached. */
  readonly price: number;
  readonly firstPrice: number;
  readonly volume: number;
  /** In the quote asset. */
  readonly value: number;
  readonly fills: number;
}

/** Fills from which an order is said to rush through the book. */
export const RUSH_FILLS = 4;

/** Newest first. `lastId` guards against trades that come twice. */
export class OrderTape {
  readonly #max: number;
  #orders: Order[] = [];
  #values: number[] = [];
  #lastId = -1;
  #large = Number.POSITIVE_INFINITY;
  #huge = Number.POSITIVE_INFINITY;
  #sinceRanked = 0;

  constructor(max: number) {
    this.#max = max;
  }

  orders(): readonly Order[] {
    return this.#orders;
  }

  take(trades: readonly Trade[]): void {
    for (const { id, timestamp, side, price, volume } of trades) {
      if (id <= this.#lastId) continue;
      this.#lastId = id;
      const last = this.#orders[0];
      const value = price * volume;
      if (last && last.timestamp === timestamp && last.side === side)
        this.#orders[0] = {
          ...last,
          price,
          volume: last.volume + volume,
          value: last.value + value,
          fills: last.fills + 1,
        };
      else {
        if (last) this.#count(last.value);
        this.#orders.unshift({ key: `${id}`, timestamp, side, price, firstPrice: price, volume, value, fills: 1 });
      }
    }
    if (this.#orders.length > this.#max) this.#orders.length = this.#max;
  }

  /** 0 usual, 1 larger than 95 of 100 orders, 2 larger than 99. */
  sizeOf({ value }: Order): 0 | 1 | 2 {
    return value >= this.#huge ? 2 : value >= this.#large ? 1 : 0;
  }

  #count(value: number): void {
    this.#values.push(value);
    if (this.#values.length > 1200) this.#values.splice(0, 200);
    if (++this.#sinceRanked < 25 || this.#values.length < 60) return;
    this.#sinceRanked = 0;
    const ranked = [...this.#values].sort((a, b) => a - b);
    this.#large = ranked[Math.floor(ranked.length * 0.95)]!;
    this.#huge = ranked[Math.floor(ranked.length * 0.99)]!;
  }
}
