/** The bar of the present second: what its trades did, for whoever draws them. */
import type { Bar, Trade } from '../../market/records.ts';

const FIELD = { open: 0, high: 1, low: 2, close: 3, volume: 4, quote: 5, trades: 6, buyVolume: 7 } as const;
export const BAR_STATE = 8;

export class SecondBar {
  readonly #s: Float64Array;

  constructor(state: Float64Array) {
    this.#s = state;
  }

  /** Whether the second has had a trade. */
  get isOpen(): boolean {
    return this.#s[FIELD.open]! > 0;
  }

  begin(): void {
    this.#s.fill(0);
  }

  /** `quote` is the trade's notional. */
  add({ price, volume, side }: Trade, quote: number): void {
    const s = this.#s;
    if (s[FIELD.open] === 0) {
      s[FIELD.open] = price;
      s[FIELD.high] = price;
      s[FIELD.low] = price;
    } else if (price > s[FIELD.high]!) s[FIELD.high] = price;
    else if (price < s[FIELD.low]!) s[FIELD.low] = price;
    s[FIELD.close] = price;
    s[FIELD.volume] = s[FIELD.volume]! + volume;
    s[FIELD.quote] = s[FIELD.quote]! + quote;
    s[FIELD.trades] = s[FIELD.trades]! + 1;
    if (side === 'buy') s[FIELD.buyVolume] = s[FIELD.buyVolume]! + volume;
  }

  /** `score` and `level` as on the topic: log10 of return periods, s. */
  toBar(symbol: string, second: number, score: number, level: number): Bar {
    const s = this.#s;
    return {
      symbol,
      timestamp: second * 1000,
      open: s[FIELD.open]!,
      high: s[FIELD.high]!,
      low: s[FIELD.low]!,
      close: s[FIELD.close]!,
      volume: s[FIELD.volume]!,
      quoteVolume: s[FIELD.quote]!,
      trades: s[FIELD.trades]!,
      takerBuyVolume: s[FIELD.buyVolume]!,
      score,
      level,
    };
  }
}
