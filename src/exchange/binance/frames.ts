/** Frames of Binance's market streams (web-socket-streams.md), raw or combined, times in ms or µs. Pure. */
import type { TradeText } from '../../market/records.ts';

export type Frame =
  | { readonly kind: 'trade'; readonly trade: TradeText; readonly eventMs: number }
  /** Anything else that carries the exchange's event time. */
  | { readonly kind: 'time'; readonly eventMs: number }
  | { readonly kind: 'shutdown' }
  /** An answer to a request, or a stream nobody asked for. */
  | { readonly kind: 'other' }
  | { readonly kind: 'malformed'; readonly reason: string };

const decoder = new TextDecoder();
/** From here on a time is in µs: in ms it would be the year 5138. */
const MICROSECONDS_FROM = 1e14;
const DECIMAL = /^\d+(\.\d+)?$/;

export function parseFrame(bytes: Uint8Array): Frame {
  let message: unknown;
  try {
    message = JSON.parse(decoder.decode(bytes));
  } catch {
    return { kind: 'malformed', reason: 'not JSON' };
  }
  if (typeof message !== 'object' || message === null) return { kind: 'malformed', reason: 'not an object' };
  const outer = message as Record<string, unknown>;
  const data = (typeof outer['data'] === 'object' && outer['data'] !== null ? outer['data'] : outer) as Record<
    string,
    unknown
  >;
  const event = data['e'];
  if (event === 'trade') return tradeFrame(data);
  if (event === 'serverShutdown') return { kind: 'shutdown' };
  return typeof data['E'] === 'number' ? { kind: 'time', eventMs: inMs(data['E']) } : { kind: 'other' };
}

function tradeFrame(data: Record<string, unknown>): Frame {
  const { s: symbol, t: id, p: price, q: volume, T: time, E: event, m: maker } = data;
  const sound =
    typeof symbol === 'string' &&
    /^[A-Z0-9]+$/.test(symbol) &&
    Number.isSafeInteger(id) &&
    typeof price === 'string' &&
    DECIMAL.test(price) &&
    typeof volume === 'string' &&
    DECIMAL.test(volume) &&
    typeof time === 'number' &&
    typeof event === 'number' &&
    typeof maker === 'boolean';
  if (!sound) return { kind: 'malformed', reason: 'a trade without its fields' };
  const trade = { timeUs: inUs(time), symbol, id: id as number, price, volume, side: maker ? 'sell' : 'buy' } as const;
  return { kind: 'trade', trade, eventMs: inMs(event) };
}

export function inUs(time: number): number {
  return time >= MICROSECONDS_FROM ? time : time * 1000;
}

function inMs(time: number): number {
  return inUs(time) / 1000;
}

/** The URL of a combined stream of the trades of `symbols`, and one stream that speaks every second whatever they do. */
export function streamUrl(base: string, symbols: readonly string[]): string {
  const names = symbols.map((symbol) => `${symbol.toLowerCase()}@trade`);
  names.push(`${symbols[0]!.toLowerCase()}@kline_1s`);
  return `${base}/stream?streams=${names.join('/')}&timeUnit=MICROSECOND`;
}
