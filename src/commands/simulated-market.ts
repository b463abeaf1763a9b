/** A simulated market that has traded for a while and goes on by the clock: what `demo` shows and `simulate --since` serves. */
import type { TradeText } from '../market/records.ts';
import type { ExchangeOptions } from '../simulator/exchange-server.ts';
import { Market } from '../simulator/market-model.ts';

/** So long it is quiet, and nobody waits for detectors to warm up. */
export const QUIET_S = 4500;
const FIRST_ANOMALY_S = 12;
const ANOMALY_EVERY_S = 30;
/** Between two of one symbol: each is to be a story of its own. */
const CALM_S = 120;
/** More than a symbol trades: so the ids of a market that began later are higher, and a reader of both can tell them apart. */
const IDS_A_SECOND = 100;

export interface MarketSince {
  readonly seed: number;
  readonly symbols: number;
  readonly sinceMs: number;
  readonly speed: number;
}

/** The same options give the same trades, however often and whenever it is begun. */
export function marketSince(options: MarketSince): Omit<ExchangeOptions, 'host' | 'port' | 'faults'> {
  const { sinceMs, speed, ...rest } = options;
  const market = new Market({
    ...rest,
    startMs: sinceMs,
    firstId: Math.floor(sinceMs / 1000) * IDS_A_SECOND,
    quiet_s: QUIET_S + FIRST_ANOMALY_S * speed,
    every_s: ANOMALY_EVERY_S * speed,
    calm_s: CALM_S,
  });
  let startMs = Date.now();
  const before: TradeText[] = [];
  // Its past ends when it has been made, not when that began: what it shows is then as late as it really is.
  for (let more = market.next(startMs); more.length > 0; more = market.next(startMs)) {
    for (const trade of more) before.push(trade);
    startMs = Date.now();
  }
  return {
    symbols: market.symbols.map(({ name }) => name),
    startMs,
    speed,
    waits: false,
    before,
    source: (untilMs) => market.next(untilMs),
  };
}
