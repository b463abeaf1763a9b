/**
 * Reads a @trade frame straight from its bytes, without the objects that JSON.parse makes. The grammar is the form in which
 * the exchange sends trades; order ids (`b`, `a`) stood in it until June of 2024:
 *
 *     frame = trade | '{"stream":"' name '","data":' trade '}'
 *     trade = '{"e":"trade","E":' int ',"s":"' symbol '","t":' int ',"p":"' decimal '","q":"' decimal '"'
 *             [ ',"b":' int ',"a":' int ] ',"T":' int ',"m":' bool ',"M":' bool '}'
 *
 * Anything else, however slightly, is left to JSON.parse: this never says that a frame is wrong. The cursor is the module's
 * own, so that nothing is made for a frame but its trade; it is below zero once something else stood there than wanted.
 */
import type { TradeText } from '../../market/records.ts';
import { inUs } from './times.ts';

const literal = (text: string): Uint8Array => new TextEncoder().encode(text);
const STREAM = literal('{"stream":"');
const DATA = literal('","data":');
const EVENT = literal('{"e":"trade","E":');
const SYMBOL = literal(',"s":"');
const ID = literal('","t":');
const PRICE = literal(',"p":"');
const VOLUME = literal('","q":"');
const QUOTE = literal('"');
const BUYER = literal(',"b":');
const SELLER = literal(',"a":');
const TIME = literal(',"T":');
const MAKER = literal(',"m":');
const BEST = literal(',"M":');
const END = literal('}');
const TRUE = literal('true');
const FALSE = literal('false');

const POINT = 0x2e;
const ZERO = 0x30;
const NINE = 0x39;
const LETTER_A = 0x41;
const LETTER_Z = 0x5a;
const QUOTE_MARK = 0x22;
const BACKSLASH = 0x5c;
/** A time in µs has 16 digits. */
const DIGITS_MAX = 16;
const SYMBOLS_KEPT = 4096;

let at = 0;
const symbols = new Map<number, string>();

export interface ScannedTrade {
  readonly trade: TradeText;
  /** The exchange's event time, µs. */
  readonly eventUs: number;
}

/** Null where the frame is none that this reads. */
export function scanTrade(frame: Buffer): ScannedTrade | null {
  at = 0;
  const combined = accept(frame, STREAM);
  if (combined) {
    passName(frame);
    expect(frame, DATA);
  }
  expect(frame, EVENT);
  const eventUs = time(frame);
  expect(frame, SYMBOL);
  const symbol = symbolName(frame);
  expect(frame, ID);
  const id = integer(frame);
  expect(frame, PRICE);
  const price = at;
  passDecimal(frame);
  const priceEnd = at;
  expect(frame, VOLUME);
  const volume = at;
  passDecimal(frame);
  const volumeEnd = at;
  expect(frame, QUOTE);
  if (accept(frame, BUYER)) {
    integer(frame);
    expect(frame, SELLER);
    integer(frame);
  }
  expect(frame, TIME);
  const timeUs = time(frame);
  expect(frame, MAKER);
  const maker = boolean(frame);
  expect(frame, BEST);
  boolean(frame);
  expect(frame, END);
  if (combined) expect(frame, END);
  if (at !== frame.length) return null;
  // One copy out of the buffer costs more than two cuts from a string.
  const digits = frame.toString('latin1', price, volumeEnd);
  const trade: TradeText = {
    timeUs,
    symbol,
    id,
    price: digits.substring(0, priceEnd - price),
    volume: digits.substring(volume - price),
    side: maker ? 'sell' : 'buy',
  };
  return { trade, eventUs };
}

function accept(frame: Buffer, wanted: Uint8Array): boolean {
  const from = at;
  if (from < 0) return false;
  for (let i = 0; i < wanted.length; i++) if (frame[from + i] !== wanted[i]) return false;
  at = from + wanted.length;
  return true;
}

function expect(frame: Buffer, wanted: Uint8Array): void {
  if (!accept(frame, wanted)) at = -1;
}

function boolean(frame: Buffer): boolean {
  if (accept(frame, TRUE)) return true;
  expect(frame, FALSE);
  return false;
}

/** A whole number without a sign, as JSON writes it. */
function integer(frame: Buffer): number {
  const from = at;
  if (from < 0) return 0;
  let value = 0;
  let p = from;
  for (let byte = frame[p]!; byte >= ZERO && byte <= NINE; byte = frame[++p]!) value = value * 10 + byte - ZERO;
  const sound = p > from && p - from <= DIGITS_MAX && value <= Number.MAX_SAFE_INTEGER;
  at = sound && (frame[from] !== ZERO || p === from + 1) ? p : -1;
  return value;
}

function time(frame: Buffer): number {
  return inUs(integer(frame));
}

/** Digits with or without a fraction, a JSON number as they stand. */
function passDecimal(frame: Buffer): void {
  const from = at;
  if (from < 0) return;
  let p = from;
  while (frame[p]! >= ZERO && frame[p]! <= NINE) p++;
  let sound = p > from && (frame[from] !== ZERO || p === from + 1);
  if (frame[p] === POINT) {
    const fraction = ++p;
    while (frame[p]! >= ZERO && frame[p]! <= NINE) p++;
    sound = sound && p > fraction;
  }
  at = sound ? p : -1;
}

function passName(frame: Buffer): void {
  let p = at;
  for (
    let byte = frame[p]!;
    byte > 0x20 && byte < 0x7f && byte !== QUOTE_MARK && byte !== BACKSLASH;
    byte = frame[++p]!
  );
  at = p;
}

/** The same few names come again and again: each is made a string once, and found by a hash of its bytes. */
function symbolName(frame: Buffer): string {
  const from = at;
  if (from < 0) return '';
  let p = from;
  let hash = 0;
  for (let byte = frame[p]!; isSymbolByte(byte); byte = frame[++p]!) hash = (Math.imul(hash, 31) + byte) | 0;
  at = p > from ? p : -1;
  const known = symbols.get(hash);
  if (known !== undefined && isAt(frame, from, p, known)) return known;
  const name = frame.toString('latin1', from, p);
  if (symbols.size < SYMBOLS_KEPT) symbols.set(hash, name);
  return name;
}

function isSymbolByte(byte: number): boolean {
  return (byte >= LETTER_A && byte <= LETTER_Z) || (byte >= ZERO && byte <= NINE);
}

function isAt(frame: Buffer, from: number, to: number, name: string): boolean {
  if (name.length !== to - from) return false;
  for (let i = 0; i < name.length; i++) if (name.charCodeAt(i) !== frame[from + i]) return false;
  return true;
}
