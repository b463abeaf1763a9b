/** Decimal numbers straight from bytes, to the same double as `Number(text)`. */

const POWERS: readonly number[] = Array.from({ length: 23 }, (_, i) => Number(`1e${i}`));
const decoder = new TextDecoder();

/** Reads a number at `at`; `end` is where it stopped. One cursor a reader, so that nothing is allocated. */
export interface Cursor {
  bytes: Uint8Array;
  at: number;
}

/**
 * Digits with at most one point, read at the cursor and left behind it. A mantissa below 2^53 and a power of ten up to
 * 10^22 are both exact, so one division rounds right (Clinger 1990); all else goes through `Number`. NaN where no number stands.
 */
export function readDecimal(cursor: Cursor): number {
  const { bytes } = cursor;
  const start = cursor.at;
  let at = start;
  let mantissa = 0;
  let digits = 0;
  let point = -1;
  // Nine digits at a time in whole numbers of 32 bits, which are faster than doubles.
  let part = 0;
  let partDigits = 0;
  let c = bytes[at]!;
  for (; ; c = bytes[++at]!) {
    const digit = c - 48;
    if (digit >= 0 && digit <= 9) {
      if (partDigits === 9) {
        mantissa = mantissa * 1e9 + part;
        digits += 9;
        part = 0;
        partDigits = 0;
      }
      part = (part * 10 + digit) | 0;
      partDigits++;
    } else if (c === 46 && point < 0) point = at;
    else break;
  }
  mantissa = mantissa * POWERS[partDigits]! + part;
  digits += partDigits;
  const decimals = point < 0 ? 0 : at - point - 1;
  const plain = c !== 101 && c !== 69 && c !== 43 && c !== 45 && c !== 46;
  if (plain && digits > 0 && mantissa <= 9007199254740991 && decimals <= 22) {
    cursor.at = at;
    return decimals > 0 ? mantissa / POWERS[decimals]! : mantissa;
  }
  while (at < bytes.length && isNumberByte(bytes[at]!)) at++;
  cursor.at = at;
  return at === start ? Number.NaN : Number(decoder.decode(bytes.subarray(start, at)));
}

function isNumberByte(c: number): boolean {
  return (c >= 48 && c <= 57) || c === 46 || c === 43 || c === 45 || c === 101 || c === 69;
}
