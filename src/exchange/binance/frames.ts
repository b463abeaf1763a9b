/** Frames of Binance's market streams (web-socket-streams.md), raw or combined, times in ms or µs. Pure. */
import type { TradeText } from '../../market/records.ts';
import { inUs } from './times.ts';
import { scanTrade } from './trade-scanner.ts';

export type Frame =
  | { readonly kind: 'trade'; readonly trade: TradeText; readonly eventMs: number }
  /** Anything else that carries the exchange's event time. */
  | { readonly kind: 'time'; readonly eventMs: number }
  | { readonly kind: 'shutdown' }
  /** An answer to a request, or a stream nobody asked for. */
  | { readonly kind: 'other' }
  | { readonly kind: 'malformed'; readonly reason: string };

const decoder = new TextDecoder('utf-8', { fatal: true });
/** Names are not all Latin; none has a character that JSON would escape. */
const SYMBOL = /^[\p{L}\p{N}]+$/u;
/** A decimal that is a JSON number as it stands. */
const DECIMAL = /^(0|[1-9]\d*)(\.\d+)?$/;

export function parseFrame(bytes: Uint8Array): Frame {
  const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const scanned = scanTrade(buffer);
  return scanned ? { kind: 'trade', trade: scanned.trade, eventMs: scanned.eventUs / 1000 } : parseFrameByJson(bytes);
}

/** What `parseFrame` gives, whatever the frame's form; several times slower for a trade. */
export function parseFrameByJson(bytes: Uint8Array): Frame {
  let message: unknown;
  try {
    message = JSON.parse(decoder.decode(bytes));
  } catch {
    return { kind: 'malformed', reason: 'not JSON' };
  }
  if (typeof message !== 'object' || message === null) return { kind: 'malformed', reason: 'not an object' };
  const outer = message as Record<string, unknown>;
  const inner = outer['data'];
  const data = typeof inner === 'object' && inner !== null ? (inner as Record<string, unknown>) : outer;
  const event = data['e'];
  if (event === 'trade') return tradeFrame(data);
  if (event === 'serverShutdown') return { kind: 'shutdown' };
  return isTime(data['E']) ? { kind: 'time', eventMs: inUs(data['E']) / 1000 } : { kind: 'other' };
}

function tradeFrame(data: Record<string, unknown>): Frame {
  const { s: symbol, t: id, p: price, q: volume, T: time, E: event, m: maker } = data;
  const sound =
    typeof symbol === 'string' &&
    SYMBOL.test(symbol) &&
    isTime(id) &&
    isDecimal(price) &&
    isDecimal(volume) &&
    isTime(time) &&
    isTime(event) &&
    typeof maker === 'boolean';
  if (!sound) return { kind: 'malformed', reason: 'a trade without its fields' };
  const trade = { timeUs: inUs(time), symbol, id, price, volume, side: maker ? 'sell' : 'buy' } as const;
  return { kind: 'trade', trade, eventMs: inUs(event) / 1000 };
}

export function isDecimal(value: unknown): value is string {
  return typeof value === 'string' && DECIMAL.test(value);
}

/** An id or a time: a whole number that is not negative. */
function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

/** Speaks every second whatever the symbols of a connection do: Bitcoin always trades. */
const PULSE = 'btcusdt@kline_1s';

/** The URL of a combined stream of the trades of `symbols`, and one stream that speaks every second. */
export function streamUrl(base: string, symbols: readonly string[]): string {
  const names = symbols.map(streamOf);
  return `${base.replace(/\/+$/, '')}/stream?streams=${[...names, PULSE].join('/')}&timeUnit=MICROSECOND`;
}

/** The request to send no more trades of `symbols`. */
export function unsubscribeRequest(symbols: readonly string[]): string {
  return JSON.stringify({
    method: 'UNSUBSCRIBE',
    params: symbols.map((symbol) => `${symbol.toLowerCase()}@trade`),
    id: 1,
  });
}

function streamOf(symbol: string): string {
  return `${encodeURIComponent(symbol.toLowerCase())}@trade`;
}
