/** What a backtest keeps of each symbol's tape besides anomalies: the time observed, and for pictures its prices. */
import type { Anomaly, Bar } from '../market/records.ts';

/** A tape of one symbol without a pause in it. Times in ms. */
export interface Stretch {
  readonly symbol: string;
  /** Start of the first and end of the last second with trades. */
  readonly from: number;
  readonly to: number;
  readonly trades: number;
  /** Seconds of one bin. */
  readonly step_s: number;
  /** Bins that had trades, in order of time; none where only time was asked for. */
  readonly bins: readonly Bin[];
  readonly closeUps: readonly CloseUp[];
}

export interface Bin {
  /** Start of the bin, ms. */
  readonly at: number;
  low: number;
  high: number;
  close: number;
  quote: number;
}

/** The seconds around the moment an incident opened. */
export interface CloseUp {
  /** Id of the record that opened it. */
  readonly id: string;
  readonly bars: readonly Bar[];
}

const BINS_MAX = 1600;
const BEFORE_MS = 300_000;
const AFTER_MS = 600_000;
/** Pictures of that many incidents a symbol, the first ones. */
const CLOSE_UPS_MAX = 200;

export class Tracer {
  readonly #pictures: boolean;
  readonly #done: Stretch[] = [];
  readonly #open = new Map<string, Trace>();

  constructor(pictures: boolean) {
    this.#pictures = pictures;
  }

  bar(bar: Bar): void {
    let trace = this.#open.get(bar.symbol);
    if (!trace) {
      trace = new Trace(bar, this.#pictures);
      this.#open.set(bar.symbol, trace);
    }
    trace.add(bar);
  }

  anomaly(anomaly: Anomaly): void {
    if (this.#pictures && anomaly.phase === 'open') this.#open.get(anomaly.symbol)?.closeUp(anomaly);
  }

  /** The tape of `symbol` stood still: what follows is another stretch. */
  pause(symbol: string): void {
    const trace = this.#open.get(symbol);
    if (trace) this.#done.push(trace.stretch());
    this.#open.delete(symbol);
  }

  /** All stretches, by symbol and time. */
  stretches(): Stretch[] {
    const all = [...this.#done, ...[...this.#open.values()].map((trace) => trace.stretch())];
    return all.sort(byPlace);
  }
}

export function byPlace(a: Stretch, b: Stretch): number {
  return a.symbol < b.symbol ? -1 : a.symbol > b.symbol ? 1 : a.from - b.from;
}

class Trace {
  readonly #symbol: string;
  readonly #pictures: boolean;
  readonly #from: number;
  #to = 0;
  #trades = 0;
  #step_s = 1;
  #bins: Bin[] = [];
  /** Bars of the last minutes, for the next close-up. */
  #recent: Bar[] = [];
  readonly #closeUps: { readonly id: string; readonly until: number; readonly bars: Bar[] }[] = [];

  constructor(first: Bar, pictures: boolean) {
    this.#symbol = first.symbol;
    this.#from = first.timestamp;
    this.#pictures = pictures;
  }

  add(bar: Bar): void {
    this.#to = bar.timestamp + 1000;
    this.#trades += bar.trades;
    if (!this.#pictures) return;
    this.#bin(bar);
    this.#recent.push(bar);
    if (this.#recent.length > 1200) this.#recent = this.#recent.slice(-300);
    for (let i = this.#closeUps.length - 1; i >= 0; i--) {
      const { until, bars } = this.#closeUps[i]!;
      if (bar.timestamp > until) break;
      bars.push(bar);
    }
  }

  closeUp({ id, timestamp }: Anomaly): void {
    if (this.#closeUps.length === CLOSE_UPS_MAX) return;
    // And the one before, from which the price is known.
    const first = this.#recent.findIndex((bar) => bar.timestamp >= timestamp - BEFORE_MS);
    const bars = this.#recent.slice(first > 0 ? first - 1 : first);
    this.#closeUps.push({ id, until: timestamp + AFTER_MS, bars });
  }

  stretch(): Stretch {
    return {
      symbol: this.#symbol,
      from: this.#from,
      to: this.#to,
      trades: this.#trades,
      step_s: this.#step_s,
      bins: this.#bins,
      closeUps: this.#closeUps.map(({ id, bars }) => ({ id, bars })),
    };
  }

  #bin({ timestamp, low, high, close, quoteVolume }: Bar): void {
    const at = floorTo(timestamp, this.#step_s);
    const last = this.#bins.at(-1);
    const bin = { at, low, high, close, quote: quoteVolume };
    if (last?.at === at) absorb(last, bin);
    else this.#bins.push(bin);
    if (this.#bins.length > BINS_MAX) this.#widen();
  }

  #widen(): void {
    this.#step_s *= 2;
    const wider: Bin[] = [];
    for (const bin of this.#bins) {
      const at = floorTo(bin.at, this.#step_s);
      const last = wider.at(-1);
      if (last?.at === at) absorb(last, bin);
      else wider.push({ ...bin, at });
    }
    this.#bins = wider;
  }
}

function floorTo(ms: number, step_s: number): number {
  return Math.floor(ms / (step_s * 1000)) * step_s * 1000;
}

function absorb(bin: Bin, later: Bin): void {
  if (later.low < bin.low) bin.low = later.low;
  if (later.high > bin.high) bin.high = later.high;
  bin.close = later.close;
  bin.quote += later.quote;
}
