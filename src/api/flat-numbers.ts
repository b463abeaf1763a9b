/**
 * Reads the numbers of `"data":[1.5,-0.25,…]` straight from a body's bytes, without the text, the tree and the list that
 * JSON.parse makes of them. It knows one flat list of plain numbers, with at most a space behind the colon and the commas;
 * anything else, however slightly, is left to JSON.parse: this never says that a body is wrong.
 *
 * A number is at most 15 digits, times or over a power of ten up to 22: both are exact doubles, so one operation rounds as
 * JSON.parse does (Clinger, How to Read Floating Point Numbers Accurately, 1990).
 */
const KEY = Buffer.from('"data":');
const NAME = '"data"';
const DIGITS_MAX = 15;
const POWERS = Float64Array.from({ length: 23 }, (_, power) => Number(`1e${power}`));
/** Longer lists are read the ordinary way: the array below stays as long as the process. */
const NUMBERS_MAX = 32_768;

const SPACE = 0x20;
const PLUS = 0x2b;
const COMMA = 0x2c;
const MINUS = 0x2d;
const POINT = 0x2e;
const ZERO = 0x30;
const UPPER_E = 0x45;
const OPEN = 0x5b;
const CLOSE = 0x5d;
const LOWER_E = 0x65;

const numbers = new Float64Array(NUMBERS_MAX);
/** As many of them as the last body had: a view costs more than ten numbers. */
let values = numbers;

export interface FlatNumbers {
  /** The body with nothing in its list. */
  readonly text: string;
  /** Valid until the next call. */
  readonly values: Float64Array;
}

/** null where the body is none that this reads. */
export function flatNumbers(body: Buffer): FlatNumbers | null {
  const key = body.indexOf(KEY);
  if (key < 0) return null;
  const open = key + KEY.length + (body[key + KEY.length] === SPACE ? 1 : 0);
  if (body[open] !== OPEN) return null;
  let at = open + 1;
  for (let count = 0; count < NUMBERS_MAX; ) {
    // No branch, as no processor guesses signs: of what may begin a number, the minus alone has not this bit.
    const minus = ((body[at]! >> 4) & 1) ^ 1;
    if (minus * (body[at]! ^ MINUS) !== 0) return null;
    at += minus;
    const begin = at;
    let digit = body[at]! - ZERO;
    let mantissa = 0;
    let power = 0;
    for (; digit >= 0 && digit <= 9; digit = body[++at]! - ZERO) mantissa = mantissa * 10 + digit;
    const whole = at - begin;
    if (whole === 0 || (whole > 1 && body[begin] === ZERO)) return null;
    if (body[at] === POINT) {
      const point = at;
      digit = body[++at]! - ZERO;
      for (; digit >= 0 && digit <= 9; digit = body[++at]! - ZERO) mantissa = mantissa * 10 + digit;
      power = point + 1 - at;
      if (power === 0) return null;
    }
    if (whole - power > DIGITS_MAX) return null;
    if (body[at] === LOWER_E || body[at] === UPPER_E) {
      const sign = body[++at];
      if (sign === MINUS || sign === PLUS) at++;
      const from = at;
      let exponent = 0;
      digit = body[at]! - ZERO;
      for (; digit >= 0 && digit <= 9; digit = body[++at]! - ZERO) exponent = exponent * 10 + digit;
      if (at === from) return null;
      power += sign === MINUS ? -exponent : exponent;
    }
    if (power < -22 || power > 22) return null;
    const value = power < 0 ? mantissa / POWERS[-power]! : mantissa * POWERS[power]!;
    numbers[count++] = value * (1 - 2 * minus);
    const next = body[at++];
    if (next === CLOSE) {
      if (values.length !== count) values = numbers.subarray(0, count);
      return { text: body.toString('utf8', 0, open + 1) + body.toString('utf8', at - 1), values };
    }
    if (next !== COMMA) return null;
    if (body[at] === SPACE) at++;
  }
  return null;
}

/**
 * Whether the list left out of a body is the one that `owner`, parsed of its text, has empty as `data`: without an escape in
 * the text and with the name in it but once, nothing else can be read as that name.
 */
export function ownsNumbers(text: string, owner: { readonly data?: readonly unknown[] | undefined }): boolean {
  return owner.data?.length === 0 && !text.includes('\\') && text.indexOf(NAME) === text.lastIndexOf(NAME);
}
