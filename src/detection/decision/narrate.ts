/** An anomaly in words and numbers: what was seen, what is usual, which feature had what part in it. */
import type { Kind } from '../../market/records.ts';
import { SERIES, SERIES_COUNT, WINDOWS } from '../features/layout.ts';
import { WINDOW_COUNT } from '../features/windows.ts';
import { exp, log } from '../math.ts';
import { KIND_INDEX } from '../surprise/kinds.ts';
import { type Measures, strongestWindow } from '../surprise/raw-scores.ts';
import type { Part } from './evidence-parts.ts';

export interface Story {
  readonly zscore: number;
  readonly actual: Record<string, number>;
  readonly expected: Record<string, readonly [number, number]>;
  readonly contributions: readonly { readonly feature: string; readonly share: number }[];
  readonly summary: string;
}

export function tell(parts: readonly Part[], summary: string): Story {
  const actual: Record<string, number> = {};
  const expected: Record<string, readonly [number, number]> = {};
  let zscore = 0;
  for (const { feature, actual: value, expected: usual, z } of parts) {
    actual[feature] = round(value);
    expected[feature] = [round(usual[0]), round(usual[1])];
    if (Math.abs(z) > Math.abs(zscore)) zscore = z;
  }
  return { zscore: round(zscore), actual, expected, contributions: toShares(parts), summary };
}

const OPENINGS: Partial<Record<Kind, string>> = {
  pump: 'buyers push the price up',
  dump: 'sellers push the price down',
  price_jump: 'the price jumps',
  volume_burst: 'volume bursts',
  trade_rate_burst: 'orders come in a burst',
  rush_orders: 'orders rush through the book',
  wash_suspicion: 'trades undo each other (a suspicion of wash trading)',
  multivariate: 'an unusual combination',
};

/** A sentence a trader would say, and how rare it is. */
export function sentence(kind: Kind, index: number, measures: Measures, logPeriod: number): string {
  return `${clauses(kind, index, measures)}; ${rarity(logPeriod)}`;
}

function clauses(kind: Kind, index: number, measures: Measures): string {
  const { windows, orders, excursion } = measures;
  if (kind === 'flash_crash') {
    const move = log(excursion.extreme / excursion.before);
    return `the price ${move < 0 ? 'fell' : 'rose'} ${percent(move)} and half of it is taken back`;
  }
  if (kind === 'large_trade') {
    return `one order of ${short(orders.notional)}, ${times(orders.notional, orders.usualNotional)} times the usual one`;
  }
  if (kind === 'one_sided_flow') {
    const at = (WINDOW_COUNT - 1) * SERIES_COUNT;
    const buys = windows.value[at + SERIES.buys]!;
    const trades = windows.value[at + SERIES.trades]!;
    const buying = orders.buyFlow > orders.sellFlow;
    const of60 = `${buying ? buys : trades - buys} of ${trades} trades in 60 s`;
    return `almost only ${buying ? 'buyers' : 'sellers'}: ${of60}, price ${percent(windows.value[at + SERIES.logReturn]!)}`;
  }
  const window =
    index === KIND_INDEX.volume_burst ? strongestOf(windows.z, SERIES.quote) : strongestWindow(index, windows);
  return `${OPENINGS[kind] ?? kind}: ${situation(window, measures)}`;
}

/** What a window looks like: volume and orders against the usual, the price. */
function situation(window: number, { windows: { value, mean } }: Measures): string {
  const at = window * SERIES_COUNT;
  const span = `${WINDOWS[window]} s`;
  const told: string[] = [`price ${percent(value[at + SERIES.logReturn]!)} in ${span}`];
  if (mean[at + SERIES.quote]! > 0)
    told.push(`${times(value[at + SERIES.quote]!, mean[at + SERIES.quote]!)} times the usual volume`);
  if (mean[at + SERIES.trades]! > 0)
    told.push(`${times(value[at + SERIES.trades]!, mean[at + SERIES.trades]!)} times the usual trades`);
  return told.join(', ');
}

function strongestOf(z: Float64Array, series: number): number {
  let best = 0;
  for (let w = 1; w < WINDOW_COUNT; w++) if (z[w * SERIES_COUNT + series]! > z[best * SERIES_COUNT + series]!) best = w;
  return best;
}

function times(value: number, usual: number): string {
  return String(Number((value / usual).toPrecision(2)));
}

/** A notional as people say it. */
function short(x: number): string {
  if (x >= 1e6) return `${Number((x / 1e6).toPrecision(3))} M`;
  return x >= 1e4 ? `${Number((x / 1e3).toPrecision(3))} k` : String(Number(x.toPrecision(3)));
}

function percent(logReturn: number): string {
  const change = (exp(logReturn) - 1) * 100;
  return `${change > 0 ? '+' : ''}${change.toFixed(Math.abs(change) < 1 ? 2 : 1)} %`;
}

/** A return period as people say it. */
export function rarity(logPeriod: number): string {
  const seconds = exp(logPeriod);
  if (seconds < 7200) return `once in ${Math.max(1, Math.round(seconds / 60))} minutes`;
  if (seconds < 172_800) return `once in ${Math.round(seconds / 3600)} hours`;
  if (seconds < 63_072_000) return `once in ${Math.round(seconds / 86_400)} days`;
  return seconds < 3e9 ? `once in ${Math.round(seconds / 31_536_000)} years` : 'never seen before';
}

/** Six significant digits: what a reader can use, in the shortest form. */
export function round(x: number): number {
  return Number(x.toPrecision(6));
}

/** Shares in ten-thousandths that sum to one: the first takes what rounding leaves. */
function toShares(parts: readonly Part[]): Story['contributions'] {
  const weighty = parts.filter(({ size }) => size > 0);
  const total = weighty.reduce((sum, { size }) => sum + size, 0);
  const units = weighty.map(({ size }) => Math.round((10_000 * size) / total));
  const rest = 10_000 - units.reduce((sum, unit) => sum + unit, 0);
  return weighty.map(({ feature }, i) => ({ feature, share: (units[i]! + (i === 0 ? rest : 0)) / 10_000 }));
}
