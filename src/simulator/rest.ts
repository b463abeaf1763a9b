/** The simulated exchange's REST side, in the shapes of Binance's rest-api.md. */
import type { TradeText } from '../market/records.ts';
import type { HttpResponse } from '../transport/transport.ts';
import type { Archive } from './archive.ts';

const WEIGHT_A_MINUTE = 6000;
const WEIGHTS: Readonly<Record<string, (query: URLSearchParams) => number>> = {
  '/api/v3/ping': () => 1,
  '/api/v3/time': () => 1,
  '/api/v3/exchangeInfo': () => 20,
  '/api/v3/trades': () => 25,
  '/api/v3/historicalTrades': () => 25,
  '/api/v3/aggTrades': () => 4,
  '/api/v3/klines': () => 2,
  '/api/v3/ticker/24hr': tickerWeight,
};
const DAY_MS = 86_400_000;

export interface RestState {
  readonly archive: Archive;
  readonly symbols: readonly string[];
  /** Simulated time, ms. */
  readonly now: () => number;
  readonly halted: () => boolean;
  /** A refusal in force: its status and the seconds left. */
  readonly refusal: () => { readonly status: 429 | 418; readonly seconds: number } | null;
}

export class Rest {
  readonly #state: RestState;
  #minute = 0;
  #weight = 0;

  constructor(state: RestState) {
    this.#state = state;
  }

  answer(path: string, query: URLSearchParams): HttpResponse {
    const refusal = this.#state.refusal();
    if (refusal)
      return problem(refusal.status, -1003, 'Too much request weight used.', {
        'retry-after': String(Math.ceil(refusal.seconds)),
      });
    const weight = WEIGHTS[path]?.(query);
    if (weight === undefined) return problem(404, -1, 'Not found.');
    const minute = Math.floor(this.#state.now() / 60_000);
    if (minute !== this.#minute) this.#weight = 0;
    this.#minute = minute;
    this.#weight += weight;
    const headers = { 'x-mbx-used-weight-1m': String(this.#weight) };
    if (this.#weight > WEIGHT_A_MINUTE)
      return problem(429, -1003, 'Too much request weight used.', { ...headers, 'retry-after': '10' });
    const unknown = named(query)?.find((symbol) => !this.#state.symbols.includes(symbol));
    if (unknown !== undefined) return problem(400, -1121, 'Invalid symbol.', headers);
    return json(200, this.#body(path, query), headers);
  }

  #body(path: string, query: URLSearchParams): unknown {
    const { archive, symbols, now, halted } = this.#state;
    const symbol = query.get('symbol') ?? '';
    const limit = Math.min(1000, Number(query.get('limit') ?? 500));
    const fromId = query.has('fromId') ? Number(query.get('fromId')) : null;
    const microseconds = query.get('timeUnit')?.toUpperCase() === 'MICROSECOND';
    switch (path) {
      case '/api/v3/time':
        return { serverTime: Math.floor(now()) };
      case '/api/v3/exchangeInfo': {
        const status = halted() ? 'HALT' : 'TRADING';
        const listed = (named(query) ?? symbols).map((name) => ({ symbol: name, status }));
        return { timezone: 'UTC', serverTime: Math.floor(now()), symbols: listed };
      }
      case '/api/v3/trades':
        return archive.trades(symbol, null, limit).map((trade) => restTrade(trade, microseconds));
      case '/api/v3/historicalTrades':
        return archive.trades(symbol, fromId, limit).map((trade) => restTrade(trade, microseconds));
      case '/api/v3/aggTrades':
        return archive.aggregates(symbol, aggregatesFrom(query), limit).map((group) => aggregate(group, microseconds));
      case '/api/v3/klines': {
        const from = Number(query.get('startTime') ?? 0);
        return secondKlines(archive.between(symbol, from, Number(query.get('endTime') ?? now())), limit);
      }
      case '/api/v3/ticker/24hr': {
        const tickers = (named(query) ?? symbols).map((name) => this.#ticker(name));
        return query.has('symbol') ? tickers[0] : tickers;
      }
      default:
        return {};
    }
  }

  #ticker(symbol: string): unknown {
    const closeTime = Math.floor(this.#state.now());
    const openTime = closeTime - DAY_MS;
    const trades = this.#state.archive.between(symbol, openTime, closeTime);
    const [firstId, lastId] = [trades[0]?.id ?? -1, trades.at(-1)?.id ?? -1];
    const lastPrice = trades.at(-1)?.price ?? '0.00000000';
    return { symbol, lastPrice, openTime, closeTime, firstId, lastId, count: trades.length };
  }
}

/** The symbols a request names; null for all. */
function named(query: URLSearchParams): readonly string[] | null {
  const symbol = query.get('symbol');
  if (symbol !== null) return [symbol];
  const symbols = query.get('symbols');
  return symbols === null ? null : (JSON.parse(symbols) as readonly string[]);
}

function tickerWeight(query: URLSearchParams): number {
  const count = named(query)?.length ?? Number.POSITIVE_INFINITY;
  return count <= 20 ? 2 : count <= 100 ? 40 : 80;
}

function aggregatesFrom(query: URLSearchParams): { readonly id: number } | { readonly timeMs: number } | null {
  if (query.has('fromId')) return { id: Number(query.get('fromId')) };
  return query.has('startTime') ? { timeMs: Number(query.get('startTime')) } : null;
}

/** Fills of one taker order at one price are one aggregate trade. */
function aggregate(
  { id, fills }: { readonly id: number; readonly fills: readonly TradeText[] },
  microseconds: boolean,
): unknown {
  const [first] = fills;
  const { price, timeUs, side } = first!;
  const q = fills.reduce((sum, { volume }) => sum + Number(volume), 0).toFixed(8);
  const T = microseconds ? timeUs : Math.floor(timeUs / 1000);
  return { a: id, p: price, q, f: first!.id, l: fills.at(-1)!.id, T, m: side === 'sell', M: true };
}

/** 1 s klines of the seconds that had trades. */
function secondKlines(trades: readonly TradeText[], limit: number): unknown[] {
  const bySecond = Map.groupBy(trades, ({ timeUs }) => Math.floor(timeUs / 1e6));
  return [...bySecond].slice(0, limit).map(([second, rows]) => {
    const prices = rows.map(({ price }) => Number(price));
    const sum = (value: (trade: TradeText) => number): string =>
      rows.reduce((total, trade) => total + value(trade), 0).toFixed(8);
    const bought = (trade: TradeText): number => (trade.side === 'buy' ? Number(trade.volume) : 0);
    return [
      second * 1000,
      rows[0]!.price,
      String(Math.max(...prices)),
      String(Math.min(...prices)),
      rows.at(-1)!.price,
      sum(({ volume }) => Number(volume)),
      second * 1000 + 999,
      sum(({ price, volume }) => Number(price) * Number(volume)),
      rows.length,
      sum(bought),
      sum((trade) => bought(trade) * Number(trade.price)),
      '0',
    ];
  });
}

function restTrade(trade: TradeText, microseconds: boolean): unknown {
  return {
    id: trade.id,
    price: trade.price,
    qty: trade.volume,
    quoteQty: (Number(trade.price) * Number(trade.volume)).toFixed(8),
    time: microseconds ? trade.timeUs : Math.floor(trade.timeUs / 1000),
    isBuyerMaker: trade.side === 'sell',
    isBestMatch: true,
  };
}

function json(status: number, body: unknown, headers: Record<string, string>): HttpResponse {
  return {
    status,
    headers: { 'content-type': 'application/json;charset=UTF-8', ...headers },
    body: new TextEncoder().encode(JSON.stringify(body)),
  };
}

function problem(status: number, code: number, msg: string, headers: Record<string, string> = {}): HttpResponse {
  return json(status, { code, msg }, headers);
}
