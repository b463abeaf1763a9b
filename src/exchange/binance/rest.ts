/**
 * The REST requests capture needs (rest-api.md), within the exchange's budget: the weight spent comes from the response
 * headers, 429 and 418 are waited out for as long as Retry-After says, and other endpoints are tried in turn.
 */
import { TapewatchError } from '../../market/error.ts';
import type { HistoryBar, TradeText } from '../../market/records.ts';
import type { HttpResponse, Transport } from '../../transport/transport.ts';
import { isDecimal } from './frames.ts';
import { WeightBudget } from './limits.ts';
import { inUs } from './times.ts';

const ROWS_MAX = 1000;
/** Symbols that one exchangeInfo or ticker request names: their list has to fit a URL. */
const SYMBOLS_A_REQUEST = 200;
/** An aggregate trade that was made void has no ids (f = l = −1), so more than the last one is asked for. */
const AGGREGATES = 10;
/** Where 429 and 418 come without Retry-After. */
const RETRY_AFTER_S = 10;

export interface RestEvents {
  /** Requests wait this long, ms, because the exchange (429, 418) or the budget (0) says so. */
  waiting?(ms: number, status: number): void;
}

/** What REST knows of the trades from an id on. */
export interface TradesFound {
  /** By id. Ids missing between two of them do not exist. */
  readonly trades: readonly TradeText[];
  /** Ids below this one could not be asked for. */
  readonly reach: number;
}

type Row = Readonly<Record<string, unknown>>;

/** Fills of one taker order at one price, as one. */
export interface AggTrade {
  readonly id: number;
  readonly price: string;
  readonly volume: string;
  readonly firstId: number;
  readonly lastId: number;
  readonly timeUs: number;
  readonly buyerIsMaker: boolean;
}

export class BinanceRest {
  readonly #transport: Transport;
  readonly #endpoints: readonly string[];
  readonly #budget: WeightBudget;
  #endpoint = 0;

  constructor(transport: Transport, endpoints: readonly string[], events: RestEvents = {}) {
    this.#transport = transport;
    this.#endpoints = endpoints.map((endpoint) => endpoint.replace(/\/+$/, ''));
    this.#budget = new WeightBudget(transport, (ms, status) => events.waiting?.(ms, status));
  }

  /** The first `limit` trades (at most 1,000) from `fromId` on; of the last 1,000 where the host has no older ones. */
  async trades(symbol: string, fromId: number, limit: number, signal: AbortSignal): Promise<TradesFound> {
    const rows = Math.min(ROWS_MAX, limit);
    const ask = (endpoint: string): string =>
      `/api/v3/${endpoint}?symbol=${encodeURIComponent(symbol)}&timeUnit=MICROSECOND&limit=${rows}&fromId=${fromId}`;
    const historical = await this.#get(ask('historicalTrades'), 25, signal);
    if (historical !== null) return { trades: rowsOf(historical).map((row) => tradeOf(symbol, row)), reach: fromId };
    const path = `/api/v3/trades?symbol=${encodeURIComponent(symbol)}&timeUnit=MICROSECOND&limit=${ROWS_MAX}`;
    const recent = rowsOf(await this.#get(path, 25, signal)).map((row) => tradeOf(symbol, row));
    const reach = recent.length < ROWS_MAX ? fromId : Math.max(fromId, recent[0]!.id);
    return { trades: recent.filter(({ id }) => id >= fromId).slice(0, rows), reach };
  }

  /**
   * Each symbol's last trade id as of about now, −1 where it never traded. The 24 h ticker knows it for any number of
   * symbols at a weight of at most 80; who did not trade that long is asked for one by one, at 4.
   */
  async lastIds(symbols: readonly string[], signal: AbortSignal): Promise<ReadonlyMap<string, number>> {
    const ids = new Map<string, number>();
    for (const some of chunks(symbols)) {
      const weight = some.length <= 20 ? 2 : some.length <= 100 ? 40 : 80;
      const path = `/api/v3/ticker/24hr?type=MINI&symbols=${listOf(some)}`;
      const rows = await this.#get(path, weight, signal).catch(emptyIfRefused);
      for (const row of rowsOf(rows)) ids.set(String(row['symbol']), idOf(row['lastId']));
    }
    for (const symbol of symbols) {
      if ((ids.get(symbol) ?? -1) >= 0) continue;
      const path = `/api/v3/aggTrades?symbol=${encodeURIComponent(symbol)}&limit=${AGGREGATES}`;
      const rows = await this.#get(path, 4, signal).catch(emptyIfRefused);
      ids.set(symbol, Math.max(-1, ...rowsOf(rows).map((row) => idOf(row['l']))));
    }
    return ids;
  }

  /** Up to 1,000 aggregate trades from `fromId`, or from the first at or after a time, on. */
  async aggTrades(
    symbol: string,
    from: { readonly id: number } | { readonly timeMs: number },
    signal: AbortSignal,
  ): Promise<AggTrade[]> {
    const where = 'id' in from ? `fromId=${from.id}` : `startTime=${from.timeMs}`;
    const path = `/api/v3/aggTrades?symbol=${encodeURIComponent(symbol)}&timeUnit=MICROSECOND&limit=${ROWS_MAX}&${where}`;
    const answer = await this.#get(path, 4, signal);
    if (!Array.isArray(answer)) throw unreadable(path);
    return rowsOf(answer).map((row) => aggTradeOf(path, row));
  }

  /** The exchange's clock, ms. */
  async time(signal: AbortSignal): Promise<number> {
    const answer = (await this.#get('/api/v3/time', 1, signal)) as Row | null;
    const time = answer?.['serverTime'];
    if (typeof time !== 'number') throw unreadable('/api/v3/time');
    return time;
  }

  /** Seconds with trades in [`fromMs`, `toMs`), up to 1,000 seconds. */
  async secondBars(symbol: string, fromMs: number, toMs: number, signal: AbortSignal): Promise<HistoryBar[]> {
    const path = `/api/v3/klines?symbol=${encodeURIComponent(symbol)}&interval=1s&startTime=${fromMs}&endTime=${toMs - 1}&limit=${ROWS_MAX}`;
    const rows = (await this.#get(path, 2, signal)) as readonly (readonly (string | number)[])[] | null;
    if (!Array.isArray(rows)) throw unreadable(path);
    return rows.map((row) => barOf(symbol, row)).filter(({ trades }) => trades > 0);
  }

  /** Each listed symbol's status, TRADING where it trades: of all symbols, or of `symbols` only, all of which must exist. */
  async statuses(symbols: readonly string[] | null, signal: AbortSignal): Promise<ReadonlyMap<string, string>> {
    const statuses = new Map<string, string>();
    for (const some of symbols === null ? [null] : chunks(symbols)) {
      const which = some === null ? '' : `&symbols=${listOf(some)}`;
      const info = await this.#get(`/api/v3/exchangeInfo?showPermissionSets=false${which}`, 20, signal);
      const rows = rowsOf((info as Row | null)?.['symbols']);
      for (const row of rows) statuses.set(String(row['symbol']), String(row['status']));
    }
    return statuses;
  }

  /** The JSON of an answer, null where this host has no such path. Every endpoint is tried once. */
  async #get(path: string, weight: number, signal: AbortSignal): Promise<unknown> {
    for (let tried = 0; ; ) {
      const endpoint = this.#endpoints[this.#endpoint % this.#endpoints.length]!;
      try {
        const answer = await this.#send(`${endpoint}${path}`, weight, signal);
        if (answer !== 'again') return answer;
      } catch (error) {
        tried++;
        const elsewhere = error instanceof TapewatchError && error.retryable && tried < this.#endpoints.length;
        if (error instanceof TapewatchError && error.retryable) this.#endpoint++;
        if (!elsewhere) throw error;
      }
    }
  }

  async #send(url: string, weight: number, signal: AbortSignal): Promise<unknown> {
    await this.#budget.take(weight, signal);
    let used: number | null = null;
    try {
      const answer = await this.#transport.request({ url, signal });
      const told = Number(answer.headers['x-mbx-used-weight-1m'] ?? Number.NaN);
      if (Number.isFinite(told)) used = told;
      if (answer.status === 200) return bodyOf(url, answer);
      if (answer.status === 404) return null;
      if (answer.status !== 429 && answer.status !== 418) throw refused(url, answer);
      const seconds = Number(answer.headers['retry-after'] ?? RETRY_AFTER_S);
      this.#budget.holdOff((Number.isFinite(seconds) ? seconds : RETRY_AFTER_S) * 1000, answer.status);
      return 'again';
    } finally {
      this.#budget.spent(weight, used);
    }
  }
}

function bodyOf(url: string, { body }: HttpResponse): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(body));
  } catch {
    throw unreadable(url);
  }
}

/** 403 is the firewall, 451 a country: both, like a server's fault, may be otherwise at another endpoint. */
function refused(url: string, { status, body }: HttpResponse): TapewatchError {
  const text = new TextDecoder().decode(body).slice(0, 200);
  return new TapewatchError('exchange_refused', `${url} answered ${status}: ${text}`, {
    retryable: status >= 500 || status === 403 || status === 451,
  });
}

function unreadable(url: string): TapewatchError {
  return new TapewatchError('exchange_refused', `${url} answered what can't be read.`, { retryable: true });
}

function rowsOf(value: unknown): readonly Row[] {
  if (!Array.isArray(value)) throw unreadable('The exchange');
  return value as readonly Row[];
}

function tradeOf(symbol: string, row: Row): TradeText {
  const { id, price, qty, time, isBuyerMaker } = row;
  if (!Number.isSafeInteger(id) || !isDecimal(price) || !isDecimal(qty) || !Number.isSafeInteger(time))
    throw unreadable('The exchange');
  return {
    timeUs: inUs(time as number),
    symbol,
    id: id as number,
    price,
    volume: qty,
    side: isBuyerMaker === true ? 'sell' : 'buy',
  };
}

/** One that was invalidated has price and volume 0 and no trades (first and last id −1). */
function aggTradeOf(path: string, row: Row): AggTrade {
  const { a: id, p: price, q: volume, f: firstId, l: lastId, T: time, m } = row;
  const whole = [id, firstId, lastId, time].every(Number.isSafeInteger);
  if (!whole || !isDecimal(price) || !isDecimal(volume)) throw unreadable(path);
  const ids = { id: id as number, firstId: firstId as number, lastId: lastId as number };
  return { ...ids, price, volume, timeUs: inUs(time as number), buyerIsMaker: m === true };
}

function barOf(symbol: string, row: readonly (string | number)[]): HistoryBar {
  const bar = {
    type: 'bar',
    symbol,
    timestamp: inUs(Number(row[0])) / 1000,
    open: Number(row[1]),
    high: Number(row[2]),
    low: Number(row[3]),
    close: Number(row[4]),
    volume: Number(row[5]),
    quoteVolume: Number(row[7]),
    trades: Number(row[8]),
    takerBuyVolume: Number(row[9]),
  } as const;
  if (Object.values(bar).some((value) => typeof value === 'number' && !(value >= 0))) throw unreadable('The exchange');
  return bar;
}

function idOf(value: unknown): number {
  return Number.isSafeInteger(value) ? (value as number) : -1;
}

/** One symbol that the exchange does not list refuses the whole request. */
function emptyIfRefused(error: unknown): readonly Row[] {
  if (error instanceof TapewatchError && error.code === 'exchange_refused' && !error.retryable) return [];
  throw error;
}

function listOf(symbols: readonly string[]): string {
  return encodeURIComponent(JSON.stringify(symbols));
}

function chunks(symbols: readonly string[]): (readonly string[])[] {
  const parts: (readonly string[])[] = [];
  for (let i = 0; i < symbols.length; i += SYMBOLS_A_REQUEST) parts.push(symbols.slice(i, i + SYMBOLS_A_REQUEST));
  return parts;
}
