/** An anomaly in words and numbers: what was seen, what is usual, which feature had what part in it. */
import type { Kind } from '../../market/records.ts';
import { SERIES, SERIES_COUNT, WINDOWS } from '../features/layout.ts';
import { exp } from '../math.ts';

export interface Part {
  readonly feature: string;
  readonly share: number;
}

export interface Story {
  readonly zscore: number;
  readonly actual: Record<string, number>;
  readonly expected: Record<string, readonly [number, number]>;
  readonly contributions: readonly Part[];
  readonly summary: string;
}

/** What the sentence may speak of. Values are indexed as in `Windows`. */
export interface Scene {
  readonly kind: Kind;
  readonly parts: readonly { readonly value: number; readonly share: number }[];
  readonly names: readonly string[];
  readonly value: Float64Array;
  readonly mean: Float64Array;
  readonly variance: Float64Array;
  readonly z: Float64Array;
  readonly logPeriod: number;
}

export function tell(scene: Scene): Story {
  const { parts, names, value, mean, variance, z } = scene;
  const actual: Record<string, number> = {};
  const expected: Record<string, readonly [number, number]> = {};
  let zscore = 0;
  const told = parts.slice(0, 6);
  for (const { value: i } of told) {
    const name = names[i]!;
    const spread = 2 * Math.sqrt(variance[i]!);
    const signed = i % SERIES_COUNT === SERIES.logReturn;
    const low = mean[i]! - spread;
    actual[name] = round(value[i]!);
    expected[name] = [round(signed || low > 0 ? low : 0), round(mean[i]! + spread)];
    if (Math.abs(z[i]!) > Math.abs(zscore)) zscore = z[i]!;
  }
  return {
    zscore: round(zscore),
    actual,
    expected,
    contributions: toShares(told.map(({ value: i, share }) => ({ feature: names[i]!, share }))),
    summary: sentence(scene, told[0]?.value),
  };
}

const WORDS: Partial<Record<Kind, string>> = {
  pump: 'buyers push the price up together',
  dump: 'sellers push the price down together',
  price_jump: 'the price jumps',
  volume_burst: 'volume bursts',
  trade_rate_burst: 'trades come in a burst',
  multivariate: 'an unusual combination',
};

function sentence({ kind, value, mean, logPeriod }: Scene, strongest: number | undefined): string {
  const clauses: string[] = [];
  if (strongest !== undefined) {
    const window = Math.floor(strongest / SERIES_COUNT);
    const at = window * SERIES_COUNT;
    const span = `${WINDOWS[window]} s`;
    const times = (series: number): string => (value[at + series]! / mean[at + series]!).toPrecision(2);
    if (mean[at + SERIES.quote]! > 0) clauses.push(`${span} volume ${plain(times(SERIES.quote))} times the usual`);
    if (mean[at + SERIES.trades]! > 0) clauses.push(`${plain(times(SERIES.trades))} times the usual trades`);
    clauses.push(`price ${percent(value[at + SERIES.logReturn]!)}`);
  }
  return `${WORDS[kind] ?? kind}: ${clauses.join(', ')}; ${rarity(logPeriod)}`;
}

function plain(digits: string): string {
  return String(Number(digits));
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
function toShares(parts: readonly Part[]): Part[] {
  const total = parts.reduce((sum, part) => sum + part.share, 0);
  if (!(total > 0)) return [];
  const units = parts.map((part) => Math.round((10_000 * part.share) / total));
  const rest = 10_000 - units.reduce((sum, unit) => sum + unit, 0);
  return parts.map(({ feature }, i) => ({ feature, share: (units[i]! + (i === 0 ? rest : 0)) / 10_000 }));
}
