/**
 * Trades as the lines of a tape, byte by byte: the same bytes as `encodeTrade` gives, in a third of its time, for tapes of
 * many millions.
 */
import type { TradeText } from '../market/records.ts';

/** Longer than any line. */
const LINE_MAX = 512;
const CAPACITY = 1 << 20;
const encoder = new TextEncoder();
const TIMESTAMP = encoder.encode('{"timestamp":');
const PRICE = encoder.encode(',"price":');
const VOLUME = encoder.encode(',"volume":');
const BUY = encoder.encode(',"side":"buy"}\n');
const SELL = encoder.encode(',"side":"sell"}\n');
const ZERO = 48;
const POINT = 46;

export class NdjsonWriter {
  readonly #write: (bytes: Uint8Array) => void;
  readonly #bytes = new Uint8Array(CAPACITY);
  readonly #symbols = new Map<string, Uint8Array>();
  #at = 0;

  /** `write` gets bytes that it must have used when it returns. */
  constructor(write: (bytes: Uint8Array) => void) {
    this.#write = write;
  }

  /** `price`, `volume` and `symbol` are ASCII, as `encodeTrade` wants them. */
  trade({ timeUs, symbol, id, price, volume, side }: TradeText): void {
    if (this.#at > CAPACITY - LINE_MAX) this.flush();
    this.#constant(TIMESTAMP);
    const ms = Math.floor(timeUs / 1000);
    this.#whole(ms);
    this.#thousandths(timeUs - ms * 1000);
    let middle = this.#symbols.get(symbol);
    if (middle === undefined) {
      middle = encoder.encode(`,"symbol":"${symbol}","id":`);
      this.#symbols.set(symbol, middle);
    }
    this.#constant(middle);
    this.#whole(id);
    this.#constant(PRICE);
    this.#text(price);
    this.#constant(VOLUME);
    this.#text(volume);
    this.#constant(side === 'buy' ? BUY : SELL);
  }

  flush(): void {
    if (this.#at > 0) this.#write(this.#bytes.subarray(0, this.#at));
    this.#at = 0;
  }

  #constant(part: Uint8Array): void {
    const bytes = this.#bytes;
    let at = this.#at;
    for (let i = 0; i < part.length; i++) bytes[at++] = part[i]!;
    this.#at = at;
  }

  #text(text: string): void {
    const bytes = this.#bytes;
    let at = this.#at;
    for (let i = 0; i < text.length; i++) bytes[at++] = text.charCodeAt(i);
    this.#at = at;
  }

  /** A whole number of 0 or more, in two halves of 32 bits, which divide faster. */
  #whole(value: number): void {
    const high = Math.floor(value / 1e9);
    if (high > 0) {
      this.#digits(high, count(high));
      this.#digits(value - high * 1e9, 9);
    } else this.#digits(value, count(value));
  }

  #digits(value: number, digits: number): void {
    const bytes = this.#bytes;
    let rest = value | 0;
    for (let at = this.#at + digits - 1; at >= this.#at; at--) {
      const tens = (rest / 10) | 0;
      bytes[at] = ZERO + rest - 10 * tens;
      rest = tens;
    }
    this.#at += digits;
  }

  /** The shortest form: no zeros at the end, nothing at all for 0. */
  #thousandths(value: number): void {
    if (value === 0) return;
    this.#bytes[this.#at++] = POINT;
    if (value % 100 === 0) this.#digits(value / 100, 1);
    else if (value % 10 === 0) this.#digits(value / 10, 2);
    else this.#digits(value, 3);
  }
}

function count(value: number): number {
  let digits = 1;
  for (let limit = 10; value >= limit; limit *= 10) digits++;
  return digits;
}
