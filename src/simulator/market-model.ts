/**
 * A seeded market: taker orders of several symbols in order of time, as trades. Orders come in bursts and spells
 * (`arrivals.ts`), moods and one common factor move activity and prices (`moods.ts`), trades bounce between bid and ask,
 * and a large order becomes several trades of one time and side. Prices are whole ticks and volumes whole lots. Labelled
 * anomalies (`anomalies.ts`) are played on top of it.
 */
import type { TradeText } from '../market/records.ts';
import { type Label, type Script, type ScriptedOrder, scriptOf } from './anomalies.ts';
import { Arrivals } from './arrivals.ts';
import { Draws } from './draws.ts';
import { Hour } from './hour.ts';
import { CommonFactor, hourly, Mood } from './moods.ts';
import { Quote } from './quote.ts';
import { BenchPlan, CALM, NowAndThen, type Schedule } from './schedule.ts';
import { type SimulatedSymbol, simulatedSymbols } from './symbols.ts';

export interface MarketOptions {
  readonly seed: number;
  readonly symbols: number;
  /** Simulated time of the first order, ms since the epoch. */
  readonly startMs: number;
  /** Id of each symbol's first trade. */
  readonly firstId?: number;
  /** `some` (the default): now and then one, somewhere; `plan`: every kind in every size, for benches. */
  readonly anomalies?: 'some' | 'plan' | 'none';
  /** Quiet time before the first anomaly, s. */
  readonly quiet_s?: number;
  /** Of `some`: mean time between two, over the whole market, and least time between two of a symbol, s. */
  readonly every_s?: number;
  readonly calm_s?: number;
}

interface State {
  readonly spec: SimulatedSymbol;
  readonly quote: Quote;
  readonly arrivals: Arrivals;
  readonly mood: Mood;
  readonly hour: Hour;
  /** Quote asset in one lot at a price of one tick. */
  readonly unit: number;
  id: number;
  /** Time of the next usual order (or of looking again), and of the next order of any sort, µs. */
  usualUs: number;
  nextUs: number;
  lastUs: number;
  lastTicks: number;
  buy: boolean;
  script: Script | null;
  played: number;
}

/** Order sizes are lognormal: the 99th percentile is 80 times the median, as on real tapes. */
const SIZE_DEVIATION = 1.9;
const ROUND_SIZES = 0.12;
const FILLS_MAX = 80;
/** Too few orders in the hour before for a record. */
const ORDERS_MIN = 10;

export class Market {
  readonly symbols: readonly SimulatedSymbol[];
  /** Anomalies begun so far. */
  readonly labels: Label[] = [];
  readonly #draws: Draws;
  readonly #common: CommonFactor;
  readonly #schedule: Schedule;
  readonly #states: readonly State[];
  /** The states as a binary heap by `nextUs`. */
  readonly #heap: State[];

  constructor(options: MarketOptions) {
    const { seed, startMs, firstId = 1_000_000 } = options;
    this.symbols = simulatedSymbols(options.symbols);
    this.#draws = new Draws(seed);
    this.#common = new CommonFactor(this.#draws, startMs / 1000);
    this.#states = this.symbols.map((spec) => this.#begin(spec, startMs, firstId));
    this.#heap = [...this.#states];
    this.#heapify();
    this.#schedule = scheduleOf(options);
  }

  /** The trades of all orders up to `untilMs`, at most about `limit`; in order of time. */
  next(untilMs: number, limit = 4096): TradeText[] {
    const trades: TradeText[] = [];
    const untilUs = untilMs * 1000;
    const heap = this.#heap;
    while (trades.length < limit) {
      const first = heap[0]!;
      const { next } = this.#schedule;
      if (Math.min(first.nextUs, next.us) > untilUs) break;
      if (next.us <= first.nextUs) {
        this.#strike();
        continue;
      }
      this.#step(first, trades);
      this.#sink(0);
    }
    return trades;
  }

  #begin(spec: SimulatedSymbol, startMs: number, firstId: number): State {
    const draws = this.#draws;
    const startUs = startMs * 1000;
    const usualUs = startUs + Math.round((draws.exponential() / spec.rate) * 1e6);
    return {
      spec,
      quote: new Quote(spec, draws),
      arrivals: new Arrivals(),
      mood: new Mood(draws, startMs / 1000),
      hour: new Hour(),
      unit: 10 ** (-spec.tickDecimals - spec.lotDecimals),
      id: firstId,
      usualUs,
      nextUs: usualUs,
      lastUs: startUs,
      lastTicks: spec.ticks,
      buy: true,
      script: null,
      played: 0,
    };
  }

  /** Begins the anomaly that is due, if its symbol can have it. */
  #strike(): void {
    const { us: dueUs, symbol, kind, size } = this.#schedule.next;
    const state = this.#states[symbol]!;
    const us = kind === 'silence' ? state.lastUs : dueUs;
    const records = state.hour.records(Math.floor(us / 1e6));
    const { spec, lastTicks: ticks } = state;
    const script = scriptOf(kind, size, { spec, us, ticks, records, draws: this.#draws });
    const past = kind === 'silence' && script.endUs <= dueUs;
    if (state.script !== null || records.orders < ORDERS_MIN || past) {
      this.#schedule.begun(null);
      return;
    }
    state.script = script;
    state.played = 0;
    if (script.aloneUntilUs > 0) {
      state.arrivals.calm();
      state.usualUs = script.aloneUntilUs;
    }
    const { startUs = us, endUs, direction } = script;
    this.labels.push({
      symbol: spec.name,
      kind,
      size,
      start: startUs / 1000,
      end: endUs / 1000,
      ...(direction ? { direction } : {}),
    });
    this.#schedule.begun(endUs);
    this.#plan(state);
    this.#heapify();
  }

  #step(state: State, out: TradeText[]): void {
    const us = state.nextUs;
    const { script, quote, mood } = state;
    const draws = this.#draws;
    const now_s = us / 1e6;
    this.#common.advance(now_s, draws);
    mood.advance(now_s, draws);
    if (script !== null && us <= (script.path.at(-1)?.[0] ?? 0)) quote.follow(script.path, us, this.#common.level);
    else quote.move((us - state.lastUs) / 1e6, this.#common.level, mood.value, draws);
    const scripted = script?.orders[state.played];
    if (scripted !== undefined && scripted.us <= us) {
      state.played++;
      this.#trade(state, us, scripted, out);
    } else {
      if (state.arrivals.arrived) this.#usualOrder(state, us, out);
      const { spec, arrivals } = state;
      const activity = Math.exp(0.8 * this.#common.mood.value + 0.6 * mood.value - 0.1);
      const wait = arrivals.wait(spec.rate * hourly(now_s) * activity, draws);
      state.usualUs = us + Math.max(1, Math.round(wait * 1e6));
    }
    if (script !== null && state.played === script.orders.length && us >= script.endUs) state.script = null;
    this.#plan(state);
  }

  #plan(state: State): void {
    const scripted = state.script?.orders[state.played];
    state.nextUs = scripted ? Math.min(scripted.us, state.usualUs) : state.usualUs;
  }

  #usualOrder(state: State, us: number, out: TradeText[]): void {
    const draws = this.#draws;
    const { spec, quote } = state;
    const again = us - state.lastUs < 50_000 ? 0.7 : 0.25;
    const buy = draws.next() < again ? state.buy : draws.next() < 0.5 + 0.2 * quote.lean;
    const size = Math.exp(SIZE_DEVIATION * draws.normal());
    let lots = Math.max(1, Math.round((size * spec.order) / (state.unit * state.lastTicks)));
    if (draws.next() < ROUND_SIZES) lots = toOneDigit(lots);
    const several = draws.next() < (size > 8 ? 0.35 : 0.08);
    const fills = several ? Math.min(FILLS_MAX, 1 + Math.ceil((1 - draws.next()) ** -0.75)) : 1;
    const levels = several && draws.next() < quote.thinness ? Math.min(fills - 1, quote.depth) : 0;
    this.#trade(state, us, { us, buy, lots, fills, levels, at: 'quote' }, out);
    quote.press(buy, Math.min(3, Math.sqrt(size)));
  }

  /** A taker order becomes trades. */
  #trade(state: State, us: number, order: ScriptedOrder, out: TradeText[]): void {
    const draws = this.#draws;
    const { spec, quote } = state;
    const { buy, lots, levels } = order;
    const fills = Math.min(order.fills, lots);
    state.id += order.missingBefore ?? 0;
    const side = buy ? 'buy' : 'sell';
    const first =
      order.at === 'quote' ? (buy ? quote.ask : quote.bid) : order.at === 'last' ? state.lastTicks : quote.middle;
    let price = first;
    let left = lots;
    let priced = 0;
    let text = '';
    let volume = 0;
    for (let i = 0; i < fills; i++) {
      if (i > 0 && draws.next() * fills < levels)
        price = Math.max(1, price + (buy ? quote.gap(draws) : -quote.gap(draws)));
      const most = left - (fills - 1 - i);
      const part =
        i === fills - 1 ? left : Math.max(1, Math.min(most, Math.round((2 * draws.next() * left) / (fills - i))));
      left -= part;
      volume += part * price;
      if (price !== priced) text = decimal(price, spec.tickDecimals);
      priced = price;
      out.push({
        timeUs: us,
        symbol: spec.name,
        id: state.id++,
        price: text,
        volume: decimal(part, spec.lotDecimals),
        side,
      });
    }
    state.hour.add({
      second: Math.floor(us / 1e6),
      buy,
      fills,
      quote: volume * state.unit,
      price: first,
      lots,
      close: price,
      anomalous: state.script !== null,
    });
    state.buy = buy;
    state.lastUs = us;
    state.lastTicks = price;
  }

  #heapify(): void {
    for (let i = this.#heap.length >> 1; i >= 0; i--) this.#sink(i);
  }

  #sink(from: number): void {
    const heap = this.#heap;
    const state = heap[from]!;
    const us = state.nextUs;
    let at = from;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && heap[child + 1]!.nextUs < heap[child]!.nextUs) child++;
      if (heap[child]!.nextUs >= us) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = state;
  }
}

function scheduleOf(options: MarketOptions): Schedule {
  const { seed, symbols, startMs, anomalies = 'some', every_s = 600, calm_s = 4000 } = options;
  if (anomalies === 'none') return CALM;
  const draws = new Draws(seed + 1);
  const fromUs = (startMs + (options.quiet_s ?? (anomalies === 'plan' ? 7200 : 3900)) * 1000) * 1000;
  return anomalies === 'plan'
    ? new BenchPlan({ symbols, seed, fromUs }, draws)
    : new NowAndThen({ symbols, fromUs, every_s, calm_s }, draws);
}

function toOneDigit(lots: number): number {
  const scale = 10 ** Math.floor(Math.log10(lots));
  return Math.round(lots / scale) * scale;
}

const ZEROS = Array.from({ length: 9 }, (_, i) => '0'.repeat(i));

/** `units` of 10^−decimals as the exchange writes them, with eight decimals. */
export function decimal(units: number, decimals: number): string {
  if (decimals === 0) return `${units}.00000000`;
  const digits = units < 10 ** decimals ? String(units).padStart(decimals + 1, '0') : String(units);
  const point = digits.length - decimals;
  return `${digits.slice(0, point)}.${digits.slice(point)}${ZEROS[8 - decimals]}`;
}
