/** Labelled anomalies: what each does to a symbol's orders while it lasts, and when the market has them. */

import type { Random } from '../market/random.ts';
import type { Kind } from '../market/records.ts';

export interface Label {
  readonly symbol: string;
  readonly kind: Kind;
  /** Strength: multiples of what is usual for the symbol. */
  readonly size: number;
  /** Simulated time, ms. */
  readonly start: number;
  readonly end: number;
}

/** How orders differ from usual. `push` is the chance that an order moves the price by a tick against the other side. */
export interface Effect {
  readonly rate: number;
  readonly lots: number;
  /** Chance of a taker buy, or null for the usual. */
  readonly buys: number | null;
  readonly push: number;
  /** Levels a taker order sweeps beyond the usual. */
  readonly sweep: number;
  /** Equal sizes on alternating sides. */
  readonly wash: boolean;
}

const NONE: Effect = { rate: 1, lots: 1, buys: null, push: 0, sweep: 0, wash: false };

const DURATION_S: Readonly<Record<Kind, number>> = {
  price_jump: 3,
  flash_crash: 20,
  volume_burst: 15,
  trade_rate_burst: 15,
  rush_orders: 10,
  large_trade: 1,
  one_sided_flow: 60,
  pump: 30,
  dump: 30,
  silence: 60,
  wash_suspicion: 60,
  data_fault: 1,
  multivariate: 20,
};

/** What a label does at `time`; a flash crash turns at half its length. */
export function effectOf({ kind, size, start, end }: Label, time: number): Effect {
  const late = time > (start + end) / 2;
  switch (kind) {
    case 'price_jump':
      return { ...NONE, rate: 8, buys: 0.9, push: 0.5 * size };
    case 'flash_crash':
      return { ...NONE, rate: 10, buys: late ? 0.9 : 0.1, push: 0.4 * size };
    case 'volume_burst':
      return { ...NONE, rate: 2, lots: 8 * size };
    case 'trade_rate_burst':
      return { ...NONE, rate: 8 * size, lots: 0.3 };
    case 'rush_orders':
      return { ...NONE, rate: 2, sweep: 3 * size, lots: 2 };
    case 'large_trade':
      return { ...NONE, rate: 2, lots: 60 * size };
    case 'one_sided_flow':
      return { ...NONE, rate: 1.5, buys: 0.98 };
    case 'pump':
      return { ...NONE, rate: 12 * size, lots: 2, buys: 0.93, push: 0.25, sweep: 1 };
    case 'dump':
      return { ...NONE, rate: 12 * size, lots: 2, buys: 0.07, push: 0.25, sweep: 1 };
    case 'silence':
      return { ...NONE, rate: 0 };
    case 'wash_suspicion':
      return { ...NONE, rate: 3, wash: true };
    case 'multivariate':
      return { ...NONE, rate: 3 * size, lots: 2 * size, sweep: 2, push: 0.05 };
    default:
      return NONE;
  }
}

export const USUAL: Effect = NONE;

const SCHEDULED: readonly Kind[] = [
  'pump',
  'dump',
  'price_jump',
  'volume_burst',
  'trade_rate_burst',
  'silence',
  'flash_crash',
  'rush_orders',
];

export interface ScheduleOptions {
  readonly symbols: readonly { readonly name: string; readonly rate: number }[];
  /** Simulated time before which there is none, ms. */
  readonly from: number;
  /** Mean time between two, over the whole market, s. */
  readonly every_s: number;
}

/** Anomalies one after the other, without end. A silence lasts longer the thinner the symbol is. */
export function* schedule({ symbols, from, every_s }: ScheduleOptions, random: Random): Generator<Label> {
  for (let at = from, n = 0; ; n++) {
    const kind = SCHEDULED[n % SCHEDULED.length]!;
    const { name, rate } = symbols[random.below(symbols.length)]!;
    const size = [1, 3, 10][random.below(3)]!;
    const seconds = kind === 'silence' ? Math.max(60, (10 * size) / rate) : DURATION_S[kind];
    yield { symbol: name, kind, size, start: at, end: at + seconds * 1000 };
    at += -Math.log(1 - random.next()) * every_s * 1000;
  }
}
