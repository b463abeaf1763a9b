/** Numbers and names as a trader says them. Pure. */

import type { Anomaly, Kind, Severity } from '../../src/market/records.ts';
import { briefOf, decimalsOf, detailOf, duration, KIND_WORDS, rarity } from '../../src/market/words.ts';

export { briefOf, decimalsOf, detailOf, duration, rarity };

export const SEVERITY_RANK: Readonly<Record<Severity, number>> = { notice: 1, warning: 2, critical: 3 };

const PHASE_WORDS = { open: 'opened', escalate: 'grew worse', update: 'joined in', close: 'closed' } as const;

export function phaseWord(phase: Anomaly['phase']): string {
  return PHASE_WORDS[phase];
}

export function kindName(kind: string): string {
  return KIND_WORDS[kind as Kind]?.name ?? sentenceCase(kind);
}

export function arrowOf(direction: Anomaly['direction']): string {
  return direction === 'up' ? '▲' : direction === 'down' ? '▼' : '●';
}

const FEATURE_WORDS: readonly (readonly [RegExp, string, Unit])[] = [
  [/^net_buys$/, 'Buys more than sells', 'trades'],
  [/^net_sells$/, 'Sells more than buys', 'trades'],
  [/^buys$/, 'Taker buys', 'trades'],
  [/^sells$/, 'Taker sells', 'trades'],
  [/^orders$/, 'Taker orders', 'orders'],
  [/^rush_orders$/, 'Orders that swept levels', 'orders'],
  [/^undone_pairs$/, 'Trades undone by their like, as a sign test', 'plain'],
  [/^order_notional$/, 'This order', 'quote'],
  [/^order_size$/, 'Size of the order, in deviations', 'plain'],
  [/^one_sided_flow$/, 'Evidence of one-sided takers, in nats', 'plain'],
  [/^excursion_return$/, 'Price change to the turning point', 'percent'],
  [/^log_return$|^return$/, 'Price change', 'percent'],
  [/volatility/, 'Volatility', 'percent'],
  [/^trades$|^trade_count$/, 'Trades', 'trades'],
  [/^quote_volume$|notional|^largest/, 'Traded value', 'quote'],
  [/^waiting$/, 'Time without a trade', 'seconds'],
  [/^affected_trades$/, 'Trades affected', 'trades'],
  [/imbalance|share|ratio/, '', 'share'],
  [/^interarrival/, 'Time between trades', 'seconds'],
];

export type Unit = 'orders' | 'trades' | 'percent' | 'quote' | 'seconds' | 'share' | 'plain';

export interface FeatureWords {
  readonly name: string;
  readonly unit: Unit;
  /** Length of its window, s; null where it has none. */
  readonly window_s: number | null;
}

/** `quote_volume_5s` → traded value, in the quote asset, over 5 s. */
export function featureWords(feature: string): FeatureWords {
  const window = /_(\d+)s$/.exec(feature);
  const base = window ? feature.slice(0, window.index) : feature.replace(/_s$/, '');
  const known = FEATURE_WORDS.find(([pattern]) => pattern.test(base));
  return {
    name: known?.[1] || sentenceCase(base),
    unit: known?.[2] ?? 'plain',
    window_s: window ? Number(window[1]) : null,
  };
}

export function featureValue(value: number, unit: Unit, symbol: string): string {
  switch (unit) {
    case 'percent':
      return percent(Math.expm1(value));
    case 'quote':
      return `${short(value)} ${quoteAsset(symbol)}`;
    case 'seconds':
      return duration(value);
    case 'share':
      return `${Math.round(value * 100)} %`;
    case 'plain':
      return short(value);
    default:
      return `${short(value)} ${unit}`;
  }
}

/** A usual range, its unit said once. */
export function featureRange([low, high]: readonly [number, number], unit: Unit, symbol: string): string {
  const from = featureValue(low, unit, symbol);
  const to = featureValue(high, unit, symbol);
  const name = / [^ ]+$/.exec(to)?.[0] ?? '';
  return `${name !== '' && from.endsWith(name) ? from.slice(0, -name.length) : from} to ${to}`;
}

const QUOTES = ['USDT', 'USDC', 'FDUSD', 'TUSD', 'BUSD', 'USD', 'EUR', 'TRY', 'BTC', 'ETH', 'BNB'];

export function quoteAsset(symbol: string): string {
  return QUOTES.find((quote) => symbol.endsWith(quote) && symbol.length > quote.length) ?? '';
}

export function baseAsset(symbol: string): string {
  const quote = quoteAsset(symbol);
  return quote ? symbol.slice(0, -quote.length) : symbol;
}

/** Three digits that can be compared at a glance: 0.0123, 12.3, 1.23k, 45.6M. */
export function short(value: number): string {
  const size = Math.abs(value);
  if (size >= 1e9) return `${digits(value / 1e9)}B`;
  if (size >= 1e6) return `${digits(value / 1e6)}M`;
  if (size >= 1e4) return `${digits(value / 1e3)}k`;
  return digits(value);
}

function digits(value: number): string {
  const size = Math.abs(value);
  if (Number.isInteger(value) && size < 1e4) return String(value);
  if (size >= 100) return value.toFixed(0);
  if (size >= 10) return value.toFixed(1);
  if (size >= 1) return value.toFixed(2);
  return value === 0 ? '0' : String(Number(value.toPrecision(2)));
}

export function percent(share: number, signed = true): string {
  const value = share * 100;
  const text = value.toFixed(Math.abs(value) >= 10 ? 1 : 2);
  return `${signed && value > 0 ? '+' : ''}${text.replace('-', '−')} %`;
}

/** Oddness in four steps, as colours show it: usual, somewhat, near the level, at it. */
export function oddStep(oddness: number): 0 | 1 | 2 | 3 {
  return oddness >= 1 ? 3 : oddness >= 0.75 ? 2 : oddness >= 0.4 ? 1 : 0;
}

/** How rare, in words. */
export function onceIn(seconds: number): string {
  if (seconds > 3e9) return 'never seen before';
  return `once in ${duration(seconds)
    .replace(/ s$/, ' seconds')
    .replace(/ min$/, ' minutes')
    .replace(/ h$/, ' hours')
    .replace(/ d$/, ' days')
    .replace(/ y$/, ' years')}`;
}

export function clock(ms: number): string {
  return new Date(ms).toISOString().slice(11, 19);
}

export function clockFine(ms: number): string {
  return new Date(ms).toISOString().slice(11, 23);
}

export function day(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

export function ago(ms: number, now: number): string {
  const s = Math.max(0, (now - ms) / 1000);
  return s < 5 ? 'now' : `${duration(s)} ago`;
}

/** A price with as many decimals as the market uses. */
export function price(value: number, decimals: number): string {
  return value.toLocaleString('en-US', { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
}

function sentenceCase(name: string): string {
  const text = name.replaceAll('_', ' ');
  return text.charAt(0).toUpperCase() + text.slice(1);
}
