/** Tapewatch's own tapes: one JSON record a line. Trades in the written form are read byte by byte, all else by JSON.parse. */
import { decodeTapeRecord } from '../market/codec.ts';
import type { TapeRecord } from '../market/records.ts';
import { SymbolCache } from './csv-rows.ts';
import { type Cursor, readDecimal } from './decimal.ts';
import { RowFault, type RowParser } from './rows.ts';

const encoder = new TextEncoder();
const TIMESTAMP = encoder.encode('{"timestamp":');
const SYMBOL = encoder.encode(',"symbol":"');
const ID = encoder.encode('","id":');
const PRICE = encoder.encode(',"price":');
const VOLUME = encoder.encode(',"volume":');
const BUY = encoder.encode(',"side":"buy"}');
const SELL = encoder.encode(',"side":"sell"}');
const QUOTE = 34;

export function ndjsonParser(): RowParser {
  const cursor: Cursor = { bytes: new Uint8Array(0), at: 0 };
  const symbols = new SymbolCache();
  const fast = (bytes: Uint8Array, from: number, to: number): TapeRecord | null => {
    cursor.bytes = bytes;
    cursor.at = from;
    if (!skip(cursor, TIMESTAMP)) return null;
    const timestamp = readDecimal(cursor);
    if (!skip(cursor, SYMBOL)) return null;
    const start = cursor.at;
    while (bytes[cursor.at] !== QUOTE && cursor.at < to) {
      if (bytes[cursor.at] === 92) return null;
      cursor.at++;
    }
    if (cursor.at === start) return null;
    const symbol = symbols.at(bytes, start, cursor.at);
    if (!skip(cursor, ID)) return null;
    const id = readDecimal(cursor);
    if (!skip(cursor, PRICE)) return null;
    const price = readDecimal(cursor);
    if (!skip(cursor, VOLUME)) return null;
    const volume = readDecimal(cursor);
    const side = skip(cursor, BUY) ? 'buy' : skip(cursor, SELL) ? 'sell' : null;
    if (
      side === null ||
      cursor.at !== to ||
      !(timestamp > 0) ||
      !(price >= 0) ||
      !(volume >= 0) ||
      !Number.isSafeInteger(id)
    ) {
      return null;
    }
    return { timestamp, symbol, id, price, volume, side };
  };
  return {
    feed: 'trade',
    parse(bytes, from, to): TapeRecord {
      const record = fast(bytes, from, to);
      if (record) return record;
      try {
        return decodeTapeRecord(bytes.subarray(from, to));
      } catch (fault) {
        throw new RowFault(fault instanceof Error ? fault.message : String(fault));
      }
    },
  };
}

function skip(cursor: Cursor, expected: Uint8Array): boolean {
  const { bytes, at } = cursor;
  for (let i = 0; i < expected.length; i++) if (bytes[at + i] !== expected[i]) return false;
  cursor.at = at + expected.length;
  return true;
}
