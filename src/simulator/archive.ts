/** What the simulated exchange remembers for REST: each symbol's last trades by id, and seconds of history before them. */
import type { TradeText } from '../market/records.ts';

const TRADES_KEPT = 300_000;

export class Archive {
  readonly #bySymbol = new Map<string, TradeText[]>();
  /** Of each trade the id of its aggregate: they run without holes. */
  readonly #aggregateIds = new Map<string, number[]>();
  /** Ids that the exchange says it doesn't have. */
  readonly #unknown = new Map<string, Set<number>>();

  add(trade: TradeText): void {
    let trades = this.#bySymbol.get(trade.symbol);
    if (!trades) {
      trades = [];
      this.#bySymbol.set(trade.symbol, trades);
      this.#aggregateIds.set(trade.symbol, []);
    }
    const ids = this.#aggregateIds.get(trade.symbol)!;
    const last = trades.at(-1);
    const same = last?.timeUs === trade.timeUs && last.price === trade.price && last.side === trade.side;
    ids.push((ids.at(-1) ?? 0) + (same ? 0 : 1));
    trades.push(trade);
    if (trades.length < 2 * TRADES_KEPT) return;
    trades.splice(0, TRADES_KEPT);
    ids.splice(0, TRADES_KEPT);
  }

  forget(trade: TradeText): void {
    const ids = this.#unknown.get(trade.symbol) ?? new Set();
    this.#unknown.set(trade.symbol, ids.add(trade.id));
  }

  symbols(): string[] {
    return [...this.#bySymbol.keys()];
  }

  last(symbol: string): TradeText | undefined {
    return this.#bySymbol.get(symbol)?.at(-1);
  }

  /** Trades stamped within [`fromMs`, `toMs`]. */
  between(symbol: string, fromMs: number, toMs: number): readonly TradeText[] {
    const trades = this.#bySymbol.get(symbol) ?? [];
    return trades.slice(firstAtOrAfter(trades, fromMs * 1000), firstAtOrAfter(trades, toMs * 1000 + 1000));
  }

  /** Up to `limit` aggregates from an id or from a time (ms) on, or the last ones: the fills of each, never none. */
  aggregates(
    symbol: string,
    from: { readonly id: number } | { readonly timeMs: number } | null,
    limit: number,
  ): { readonly id: number; readonly fills: readonly TradeText[] }[] {
    const trades = this.#bySymbol.get(symbol) ?? [];
    const ids = this.#aggregateIds.get(symbol) ?? [];
    const unknown = this.#unknown.get(symbol);
    const first = from === null ? (ids.at(-1) ?? 0) - limit + 1 : 'id' in from ? from.id : null;
    let at =
      first === null ? firstAtOrAfter(trades, (from as { timeMs: number }).timeMs * 1000) : firstAtLeast(ids, first);
    const found: { id: number; fills: TradeText[] }[] = [];
    for (; at < trades.length; at++) {
      const trade = trades[at]!;
      if (unknown?.has(trade.id)) continue;
      const group = found.at(-1);
      if (group?.id === ids[at]) group!.fills.push(trade);
      else if (found.length === limit) break;
      else found.push({ id: ids[at]!, fills: [trade] });
    }
    return found;
  }

  /** Up to `limit` trades from `fromId` on; without it the last ones. */
  trades(symbol: string, fromId: number | null, limit: number): TradeText[] {
    const trades = this.#bySymbol.get(symbol) ?? [];
    const unknown = this.#unknown.get(symbol);
    const start = fromId === null ? Math.max(0, trades.length - limit) : lowerBound(trades, fromId);
    const found: TradeText[] = [];
    for (let i = start; i < trades.length && found.length < limit; i++) {
      if (!unknown?.has(trades[i]!.id)) found.push(trades[i]!);
    }
    return found;
  }
}

function firstAtOrAfter(trades: readonly TradeText[], timeUs: number): number {
  let low = 0;
  let high = trades.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (trades[middle]!.timeUs < timeUs) low = middle + 1;
    else high = middle;
  }
  return low;
}

function lowerBound(trades: readonly TradeText[], id: number): number {
  let low = 0;
  let high = trades.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (trades[middle]!.id < id) low = middle + 1;
    else high = middle;
  }
  return low;
}

function firstAtLeast(ascending: readonly number[], value: number): number {
  let low = 0;
  let high = ascending.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ascending[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
