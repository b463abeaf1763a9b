/** Bars of a second gathered into candles, kept in order of time. Pure: no chart in here. */
import type { Bar, Trade } from '../../src/market/records.ts';

export interface Candle {
  /** Start, s since the epoch. */
  readonly time: number;
  readonly open: number;
  readonly high: number;
  readonly low: number;
  readonly close: number;
  readonly volume: number;
  readonly quoteVolume: number;
  readonly trades: number;
  /** Strongest score of its seconds, and the last level. */
  readonly score: number;
  readonly level: number;
  /** Start of the last second gathered, ms: a bar at or before it is known already. */
  readonly upTo: number;
}

export class CandleRow {
  readonly #interval_s: number;
  #candles: Candle[] = [];

  constructor(interval_s: number) {
    this.#interval_s = interval_s;
  }

  get length(): number {
    return this.#candles.length;
  }

  all(): readonly Candle[] {
    return this.#candles;
  }

  at(index: number): Candle | undefined {
    return this.#candles[index];
  }

  /** Start of the candle a moment (ms) belongs to, s. */
  timeOf(ms: number): number {
    return Math.floor(ms / 1000 / this.#interval_s) * this.#interval_s;
  }

  set(bars: readonly Bar[]): void {
    this.#candles = [];
    for (const bar of bars) this.take(bar);
  }

  /** Adds a newer bar; gives the candle that changed, null where the bar is known already. */
  take(bar: Bar): Candle | null {
    const time = this.timeOf(bar.timestamp);
    const last = this.#candles.at(-1);
    if (last && (time < last.time || (time === last.time && bar.timestamp <= last.upTo))) return null;
    const candle = last && last.time === time ? join(last, bar) : candleOf(bar, time);
    if (last && last.time === time) this.#candles[this.#candles.length - 1] = candle;
    else this.#candles.push(candle);
    return candle;
  }

  /** Forgets all but the last `count`. */
  keep(count: number): void {
    this.#candles.splice(0, Math.max(0, this.#candles.length - count));
  }

  /** Moves the running candle's price; a trade of a second already gathered changes nothing. */
  takeTrades(trades: readonly Trade[]): Candle | null {
    const last = this.#candles.at(-1);
    if (!last) return null;
    const fresh = trades.filter(
      ({ timestamp }) => this.timeOf(timestamp) === last.time && timestamp >= last.upTo + 1000,
    );
    if (fresh.length === 0) return null;
    const prices = fresh.map(({ price }) => price);
    const moved: Candle = {
      ...last,
      high: Math.max(last.high, ...prices),
      low: Math.min(last.low, ...prices),
      close: prices.at(-1)!,
    };
    this.#candles[this.#candles.length - 1] = moved;
    return moved;
  }

  /** Adds older bars in front; gives how many candles came. */
  prepend(bars: readonly Bar[]): number {
    const first = this.#candles[0];
    const older = new CandleRow(this.#interval_s);
    older.set(bars.filter(({ timestamp }) => !first || this.timeOf(timestamp) < first.time));
    this.#candles = [...older.all(), ...this.#candles];
    return older.length;
  }

  /** Starts of the candles that are missing between the first and the last, since nothing traded. */
  pauses(): number[] {
    const missing: number[] = [];
    for (let i = 1; i < this.#candles.length; i++) {
      const { time } = this.#candles[i]!;
      for (let t = this.#candles[i - 1]!.time + this.#interval_s; t < time; t += this.#interval_s) missing.push(t);
    }
    return missing;
  }

  /** Index of the candle that starts at `time`, null where there is none. */
  indexOf(time: number): number | null {
    const at = this.#below(time);
    return this.#candles[at]?.time === time ? at : null;
  }

  /** Start of the last candle at or before `time`; null before the first. */
  nearest(time: number): number | null {
    return this.#candles[this.#below(time)]?.time ?? null;
  }

  #below(time: number): number {
    let low = 0;
    let high = this.#candles.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#candles[middle]!.time <= time) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }
}

function candleOf(bar: Bar, time: number): Candle {
  const { open, high, low, close, volume, quoteVolume, trades, score, level, timestamp } = bar;
  return { time, open, high, low, close, volume, quoteVolume, trades, score, level, upTo: timestamp };
}

function join(candle: Candle, bar: Bar): Candle {
  return {
    ...candle,
    high: Math.max(candle.high, bar.high),
    low: Math.min(candle.low, bar.low),
    close: bar.close,
    volume: candle.volume + bar.volume,
    quoteVolume: candle.quoteVolume + bar.quoteVolume,
    trades: candle.trades + bar.trades,
    score: Math.max(candle.score, bar.score),
    level: bar.level,
    upTo: bar.timestamp,
  };
}
