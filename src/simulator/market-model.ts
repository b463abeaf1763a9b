/**
 * A seeded market: taker orders of several symbols in order of time. Arrivals cluster (an order excites the next ones, as
 * in a Hawkes process), activity follows the hour of the day, one factor moves all prices, an order that sweeps levels
 * becomes several trades of one time and side. Prices are whole ticks and volumes whole lots.
 */
import { Random } from '../market/random.ts';
import type { TradeText } from '../market/records.ts';
import { effectOf, type Label, schedule, USUAL } from './anomalies.ts';
import { type SimulatedSymbol, simulatedSymbols } from './symbols.ts';

export interface MarketOptions {
  readonly seed: number;
  readonly symbols: number;
  /** Simulated time of the first order, ms since the epoch. */
  readonly startMs: number;
  /** Quiet time before the first anomaly, s; and the mean time between two after it. */
  readonly quiet_s?: number;
  readonly every_s?: number;
}

interface State {
  readonly spec: SimulatedSymbol;
  readonly tick: number;
  ticks: number;
  id: number;
  nextUs: number;
  excited: number;
  label: Label | null;
  washSide: boolean;
}

const EXCITEMENT_DECAY_S = 4;
/** Orders that one order brings about, on average. */
const BRANCHING = 0.5;

export class Market {
  readonly symbols: readonly SimulatedSymbol[];
  /** Anomalies begun so far. */
  readonly labels: Label[] = [];
  readonly #random: Random;
  readonly #states: State[];
  readonly #labels: Iterator<Label>;
  #upcoming: Label;
  #factor = 0;
  #factorAt = 0;

  constructor(options: MarketOptions) {
    const { seed, startMs, quiet_s = 3900, every_s = 600 } = options;
    this.symbols = simulatedSymbols(options.symbols);
    this.#random = new Random(seed);
    const startUs = startMs * 1000;
    this.#factorAt = startUs;
    this.#states = this.symbols.map((spec) => ({
      spec,
      tick: 10 ** -spec.tickDecimals,
      ticks: spec.ticks,
      id: 1_000_000,
      nextUs: startUs + this.#wait(1 / spec.rate),
      excited: 0,
      label: null,
      washSide: false,
    }));
    this.#labels = schedule({ symbols: this.symbols, from: startMs + quiet_s * 1000, every_s }, new Random(seed + 1));
    this.#upcoming = this.#labels.next().value as Label;
  }

  /** The trades of all orders up to `untilMs`, at most about `limit`; in order of time. */
  next(untilMs: number, limit = 4096): TradeText[] {
    const trades: TradeText[] = [];
    while (trades.length < limit) {
      let first = this.#states[0]!;
      for (const state of this.#states) if (state.nextUs < first.nextUs) first = state;
      if (first.nextUs > untilMs * 1000) break;
      this.#begin(first.nextUs / 1000);
      this.#order(first, trades);
    }
    return trades;
  }

  #begin(timeMs: number): void {
    while (this.#upcoming.start <= timeMs) {
      const label = this.#upcoming;
      const state = this.#states.find(({ spec }) => spec.name === label.symbol)!;
      if (state.label === null || state.label.end < label.start) {
        state.label = label;
        this.labels.push(label);
        if (label.kind === 'silence') state.nextUs = Math.max(state.nextUs, label.end * 1000);
        else state.nextUs = Math.max(timeMs, label.start) * 1000;
      }
      this.#upcoming = this.#labels.next().value as Label;
    }
  }

  #order(state: State, out: TradeText[]): void {
    const random = this.#random;
    const { spec } = state;
    const timeUs = Math.round(state.nextUs);
    const timeMs = timeUs / 1000;
    const active = state.label !== null && timeMs <= state.label.end && timeMs >= state.label.start;
    const effect = active ? effectOf(state.label!, timeMs) : USUAL;
    this.#moveFactor(timeUs);
    const lean = 0.5 + 0.12 * this.#factor;
    if (effect.wash) state.washSide = !state.washSide;
    const buy = effect.wash ? state.washSide : random.next() < (effect.buys ?? lean);
    if (effect.rate > 0) {
      const fills = 1 + (random.next() < 0.2 ? 1 + random.below(3) : 0) + Math.round(effect.sweep * random.next());
      const sizes = effect.wash ? spec.lots : this.#lots(spec.lots * effect.lots);
      for (let i = 0; i < fills; i++) {
        if (i > 0 && random.next() < 0.3) state.ticks += buy ? 1 : -1;
        const lots = Math.max(1, Math.round(sizes / fills));
        out.push(this.#trade(state, timeUs, lots, buy));
      }
      let moved = random.next() < 0.25 ? 1 : 0;
      for (let push = effect.push; push > 0; push--)
        if (random.next() < push) moved += 1 + Math.floor(spec.ticks / 20_000);
      state.ticks = Math.max(2, state.ticks + (buy ? moved : -moved));
    }
    const rate = spec.rate * hourly(timeMs) * (1 + state.excited) * Math.max(effect.rate, 0.001);
    const wait = this.#wait(1 / rate);
    state.excited = Math.min(
      8,
      (state.excited + (active ? 0 : Math.min(2, BRANCHING / (spec.rate * EXCITEMENT_DECAY_S)))) *
        Math.exp(-wait / 1e6 / EXCITEMENT_DECAY_S),
    );
    state.nextUs = state.nextUs + Math.max(1, wait);
  }

  /** A common mood in about [−1, 1], pulled back to zero within minutes. */
  #moveFactor(timeUs: number): void {
    while (timeUs - this.#factorAt > 1e6) {
      this.#factor = this.#factor * 0.99 + (this.#random.next() - 0.5) * 0.2;
      this.#factorAt += 1e6;
    }
  }

  #lots(mean: number): number {
    const random = this.#random;
    // A product of uniforms has the heavy tail that order sizes have.
    return mean * 4 * random.next() * random.next() * (random.next() < 0.01 ? 10 : 1);
  }

  #wait(mean_s: number): number {
    return -Math.log(1 - this.#random.next()) * mean_s * 1e6;
  }

  #trade(state: State, timeUs: number, lots: number, buy: boolean): TradeText {
    const { spec } = state;
    return {
      timeUs,
      symbol: spec.name,
      id: state.id++,
      price: decimal(state.ticks, spec.tickDecimals),
      volume: decimal(lots, spec.lotDecimals),
      side: buy ? 'buy' : 'sell',
    };
  }
}

/** Activity by the hour of the day: quiet at night in Europe and America, busy in their common afternoon. */
function hourly(timeMs: number): number {
  return 1 + 0.5 * Math.sin((((timeMs / 3_600_000) % 24) - 9) * (Math.PI / 12));
}

/** `units` of 10^−decimals as the exchange writes them, with eight decimals. */
export function decimal(units: number, decimals: number): string {
  if (decimals === 0) return `${units}.00000000`;
  const digits = String(units).padStart(decimals + 1, '0');
  const point = digits.length - decimals;
  return `${digits.slice(0, point)}.${digits.slice(point).padEnd(8, '0')}`;
}
