/** The kinds of the market lane: their order, which is that of their index everywhere, and their share of the budget. */
import type { Kind } from '../../market/records.ts';
import { log } from '../math.ts';

/** The first to be strongest wins a tie. */
export const MARKET_KINDS = [
  'pump',
  'dump',
  'flash_crash',
  'price_jump',
  'large_trade',
  'volume_burst',
  'rush_orders',
  'trade_rate_burst',
  'one_sided_flow',
  'wash_suspicion',
  'multivariate',
  'silence',
] as const satisfies readonly Kind[];
export type MarketKind = (typeof MARKET_KINDS)[number];

export const KIND_INDEX: Readonly<Record<MarketKind, number>> = Object.fromEntries(
  MARKET_KINDS.map((kind, k) => [kind, k]),
) as Record<MarketKind, number>;
export const KIND_COUNT: number = MARKET_KINDS.length;
/** Kinds scored at a trade: all but silence, the last, which a second without one raises. */
export const TRADE_KINDS: number = KIND_COUNT - 1;

/** Kinds that need trades to warm up: history bars say nothing of orders. */
export const NEEDS_TRADES: readonly boolean[] = MARKET_KINDS.map(
  (kind) =>
    kind === 'large_trade' ||
    kind === 'rush_orders' ||
    kind === 'trade_rate_burst' ||
    kind === 'one_sided_flow' ||
    kind === 'wash_suspicion',
);

/**
 * Each kind's share of the budget, as ln of a factor on its return period. A move that has a side behind it is what people
 * want to read; a silence has to be rarer to be told, and so has a suspicion.
 */
const SHARES: Partial<Record<MarketKind, number>> = {
  dump: 2,
  large_trade: 3 / 2,
  volume_burst: 3 / 2,
  trade_rate_burst: 3 / 2,
  silence: 1 / 3,
  wash_suspicion: 1 / 2,
  rush_orders: 1 / 2,
};
export const SHARE: readonly number[] = MARKET_KINDS.map((kind) => log(SHARES[kind] ?? 1));
