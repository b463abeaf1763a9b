/**
 * CSV trades by a map of columns: Binance's daily dumps (trades, aggTrades; with or without a header), tardis.dev's
 * trades, and `timestamp,symbol,price,quantity,is_buyer_maker`. Times are ms or µs, known by their size.
 */
import type { Feed } from '../market/continuity.ts';
import type { TapeRecord } from '../market/records.ts';
import { type Cursor, readDecimal } from './decimal.ts';
import { RowFault, type RowParser } from './rows.ts';

type Role = 'time' | 'symbol' | 'id' | 'price' | 'volume' | 'maker' | 'side' | 'first' | 'skip';

const HEADERS: Readonly<Record<string, Role>> = {
  timestamp: 'time',
  time: 'time',
  transact_time: 'time',
  symbol: 'symbol',
  id: 'id',
  trade_id: 'id',
  agg_trade_id: 'id',
  price: 'price',
  quantity: 'volume',
  qty: 'volume',
  amount: 'volume',
  is_buyer_maker: 'maker',
  isbuyermaker: 'maker',
  side: 'side',
  first_trade_id: 'first',
};
const TRADES: readonly Role[] = ['id', 'price', 'volume', 'skip', 'time', 'maker', 'skip'];
const AGG_TRADES: readonly Role[] = ['id', 'price', 'volume', 'first', 'skip', 'time', 'maker', 'skip'];
/** From here on a time is in µs: in ms it would be the year 5138. */
const MICROSECONDS_FROM = 1e14;
const COMMA = 44;

/** A parser for a file that begins with `line`; `headed` tells that the line is no row. Null where it is no known CSV. */
export function csvParser(
  line: string,
  fileSymbol: string,
): { readonly parser: RowParser; readonly headed: boolean } | null {
  const cells = line.split(',').map((cell) => cell.trim());
  const headed = /^[a-z]/i.test(cells[0] ?? '') && cells.some((cell) => Object.hasOwn(HEADERS, cell.toLowerCase()));
  if (!headed && !/^\d+$/.test(cells[0] ?? '')) return null;
  let roles: readonly Role[];
  if (headed) roles = cells.map((cell) => HEADERS[cell.toLowerCase()] ?? 'skip');
  else if (cells.length === 7) roles = TRADES;
  else if (cells.length === 8) roles = AGG_TRADES;
  else if (cells.length === 5) roles = ['time', 'symbol', 'price', 'volume', 'maker'];
  else return null;
  const has = (role: Role): boolean => roles.includes(role);
  if (!has('time') || !has('price') || !has('volume') || !(has('maker') || has('side'))) return null;
  const feed: Feed = !has('id') ? 'unnumbered' : has('first') || /agg_trade_id/.test(line) ? 'aggTrade' : 'trade';
  return { parser: rowParser(roles, feed, fileSymbol), headed };
}

function rowParser(roles: readonly Role[], feed: Feed, fileSymbol: string): RowParser {
  const cursor: Cursor = { bytes: new Uint8Array(0), at: 0 };
  const symbols = new SymbolCache();
  return {
    feed,
    parse(bytes, from, to): TapeRecord | null {
      cursor.bytes = bytes;
      cursor.at = from;
      let timestamp = Number.NaN;
      let symbol = fileSymbol;
      let id = -1;
      let price = Number.NaN;
      let volume = Number.NaN;
      let side = 0;
      let first = 0;
      for (let i = 0; i < roles.length; i++) {
        const start = cursor.at;
        if (start > to) throw new RowFault(`it has ${i} columns instead of ${roles.length}`);
        switch (roles[i]) {
          case 'time':
            timestamp = readDecimal(cursor);
            break;
          case 'id':
            id = readDecimal(cursor);
            break;
          case 'price':
            price = readDecimal(cursor);
            break;
          case 'volume':
            volume = readDecimal(cursor);
            break;
          case 'first':
            first = readDecimal(cursor);
            break;
          case 'symbol':
            cursor.at = cellEnd(bytes, start, to);
            symbol = symbols.at(bytes, start, cursor.at);
            break;
          case 'maker':
            side = isTrue(bytes[start]!);
            break;
          case 'side':
            side = bytes[start] === 98 ? 1 : bytes[start] === 115 ? -1 : 0;
            break;
          default:
        }
        cursor.at = cellEnd(bytes, cursor.at, to) + 1;
      }
      if (timestamp >= MICROSECONDS_FROM) timestamp /= 1000;
      if (!(timestamp > 0)) throw new RowFault('its time is not a number');
      if (!(price >= 0) || !(volume >= 0)) throw new RowFault('its price or volume is not a number of 0 or more');
      if (side === 0) throw new RowFault('its side can not be told');
      if (first < 0 && price === 0) {
        return { type: 'gap', symbol, timestamp, first: id, last: id, reason: 'not_on_exchange' };
      }
      return { timestamp, symbol, id, price, volume, side: side > 0 ? 'buy' : 'sell' };
    },
  };
}

function cellEnd(bytes: Uint8Array, from: number, to: number): number {
  let at = from;
  while (at < to && bytes[at] !== COMMA) at++;
  return at;
}

/** `is_buyer_maker`: true means that the taker sold. */
function isTrue(c: number): number {
  if (c === 116 || c === 84 || c === 49) return -1;
  return c === 102 || c === 70 || c === 48 ? 1 : 0;
}

const SYMBOLS_KEPT = 4096;

/** The same symbols come over and over: a string is made for the first of them only (and where two share a place). */
export class SymbolCache {
  readonly #known: string[] = new Array<string>(SYMBOLS_KEPT).fill('');
  readonly #decoder: InstanceType<typeof TextDecoder> = new TextDecoder();

  at(bytes: Uint8Array, from: number, to: number): string {
    let hash = 0;
    for (let i = from; i < to; i++) hash = (Math.imul(hash, 31) + bytes[i]!) | 0;
    const place = hash & (SYMBOLS_KEPT - 1);
    const known = this.#known[place]!;
    if (known.length === to - from) {
      let i = 0;
      while (i < known.length && bytes[from + i] === known.charCodeAt(i)) i++;
      if (i === known.length && i > 0) return known;
    }
    if (from === to) throw new RowFault('its symbol is empty');
    const symbol = this.#decoder.decode(bytes.subarray(from, to));
    this.#known[place] = symbol;
    return symbol;
  }
}
