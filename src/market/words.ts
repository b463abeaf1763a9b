/** What people read, the same on the page, in the terminal and in messages. Pure. */
import type { Kind } from './records.ts';

/** What a kind is called, and what it means in a sentence. */
export interface KindWords {
  readonly name: string;
  readonly sentence: string;
}

export const KIND_WORDS: Readonly<Record<Kind, KindWords>> = {
  price_jump: { name: 'Price jump', sentence: 'The price moved further than it usually does in so short a time.' },
  flash_crash: { name: 'Flash crash', sentence: 'The price moved steeply and came back within minutes.' },
  volume_burst: { name: 'Volume burst', sentence: 'Far more money changed hands than is usual here.' },
  trade_rate_burst: { name: 'Trade burst', sentence: 'Trades came far faster than is usual here.' },
  rush_orders: { name: 'Rush orders', sentence: 'Order after order swept several price levels at once.' },
  large_trade: { name: 'Large trade', sentence: 'One order was far larger than those before it.' },
  one_sided_flow: { name: 'One-sided flow', sentence: 'Nearly all takers stood on the same side.' },
  pump: { name: 'Pump', sentence: 'Buyers pushed the price up together.' },
  dump: { name: 'Dump', sentence: 'Sellers pushed the price down together.' },
  silence: { name: 'Silence', sentence: 'Nobody traded for longer than is usual here.' },
  wash_suspicion: {
    name: 'Wash suspicion',
    sentence: 'Equal sizes went back and forth: perhaps one hand on both sides.',
  },
  data_fault: { name: 'Data fault', sentence: 'The tape itself is not whole: trades are missing or wrong.' },
  multivariate: { name: 'Odd mixture', sentence: 'No single number stands out; their combination is unusual.' },
};

/** The numbers of a summary, without the words that name its kind and without how rare it is. */
export function detailOf(summary: string): string {
  return summary.replace(/^[^:\d]*: /, '').replace(/; [^;]*$/, '');
}

/** The same at a glance: `38× volume` for 38 times the usual volume, a minus sign for a minus. */
export function briefOf(summary: string): string {
  return detailOf(summary)
    .replaceAll(' times the usual', '×')
    .replace(/(^|[ (])-(?=\d)/g, '$1−');
}

/** A length of time in one unit: 45 s, 12 min, 3 h, 5 d, 2 y. */
export function duration(seconds: number): string {
  const s = Math.abs(seconds);
  if (s < 1) return `${Math.round(s * 1000)} ms`;
  if (s < 90) return `${s < 10 ? Number(s.toFixed(1)) : Math.round(s)} s`;
  if (s < 5400) return `${Math.round(s / 60)} min`;
  if (s < 129_600) return `${Math.round(s / 3600)} h`;
  if (s < 63_072_000) return `${Math.round(s / 86_400)} d`;
  return `${Math.round(s / 31_536_000)} y`;
}

/** A score, log10 of a return period in seconds, as the shortest duration: 40s, 12m, 3h, 5d. */
export function rarity(score: number): string {
  if (!(score > 0)) return '–';
  return duration(10 ** score)
    .replace(' min', 'm')
    .replace(' ', '');
}

/** Decimals that tell neighbouring prices of this size apart, at least those of the value itself. */
export function decimalsOf(value: number): number {
  const own = String(Number(value.toPrecision(10))).split('.')[1]?.length ?? 0;
  return Math.min(8, Math.max(own, value >= 100 ? 2 : value >= 1 ? 3 : 4));
}
