/** What a tape shows of one symbol, counted from its trades by the slow and plain way: an oracle for labels and statistics. */
import type { TradeText } from '../../src/market/records.ts';

export interface TakerOrder {
  readonly us: number;
  readonly side: string;
  readonly fills: number;
  readonly quote: number;
  readonly volume: number;
  readonly first: number;
  readonly last: number;
}

/** Trades of one time and side in a row are one taker order. */
export function takerOrders(trades: readonly TradeText[]): TakerOrder[] {
  const orders: TakerOrder[] = [];
  for (const { timeUs, side, price, volume } of trades) {
    const before = orders.at(-1);
    const last = Number(price);
    const quote = last * Number(volume);
    if (before?.us === timeUs && before.side === side) {
      const { us, first } = before;
      orders[orders.length - 1] = {
        us,
        side,
        first,
        last,
        fills: before.fills + 1,
        quote: before.quote + quote,
        volume: before.volume + Number(volume),
      };
    } else orders.push({ us: timeUs, side, fills: 1, quote, volume: Number(volume), first: last, last });
  }
  return orders;
}

/** Counts by whole second, and last price before each second's end, from `from` to `to` (s). */
export class Seconds {
  readonly from: number;
  readonly trades: number[];
  readonly quote: number[];
  readonly rush: number[];
  readonly close: number[];

  constructor(orders: readonly TakerOrder[], from: number, to: number) {
    this.from = from;
    const blank = (): number[] => new Array<number>(to - from).fill(0);
    this.trades = blank();
    this.quote = blank();
    this.rush = blank();
    this.close = blank();
    let price = 0;
    let at = 0;
    for (const { us, fills, quote, last } of orders) {
      const second = Math.floor(us / 1e6) - from;
      if (second >= to - from) break;
      if (second >= 0) {
        while (at < second) this.close[at++] = price;
        this.trades[second]! += fills;
        this.quote[second]! += quote;
        if (fills > 1) this.rush[second]! += 1;
      }
      price = last;
    }
    while (at < to - from) this.close[at++] = price;
  }

  /** Greatest sum over a window that ends in [`from`, `to`] and lies in what was counted. */
  most(counts: readonly number[], window: number): number {
    let greatest = 0;
    for (let end = window; end <= counts.length; end++) {
      let sum = 0;
      for (let i = end - window; i < end; i++) sum += counts[i]!;
      greatest = Math.max(greatest, sum);
    }
    return greatest;
  }

  /** Greatest absolute log return over so many seconds. */
  mostReturn(window: number): number {
    let greatest = 0;
    for (let i = window; i < this.close.length; i++) {
      const before = this.close[i - window]!;
      if (before > 0) greatest = Math.max(greatest, Math.abs(Math.log(this.close[i]! / before)));
    }
    return greatest;
  }
}

export function longestRun(orders: readonly TakerOrder[]): number {
  let run = 0;
  let longest = 0;
  orders.forEach(({ side }, i) => {
    run = side === orders[i - 1]?.side ? run + 1 : 1;
    longest = Math.max(longest, run);
  });
  return longest;
}
