/**
 * The usual top of the hour of a few quantities: the mean, in logarithms, of their greatest values over the hours so far
 * (of the symbol's own time, from when it is first watched), older hours counting less.
 */
import { exp, log } from '../math.ts';

const HOUR_S = 3600;
/** What an hour older weighs. */
const KEEP = 0.97;
/** One hour says little of the others: the usual top is taken to be higher by this (ln) over the hours counted. */
const YOUNG = 0.3;

export const TOP = { rush: 0, quote: 1, flow: 2 } as const;
const TOPS = 3;
/** Begin of the present hour, then of each quantity: greatest value of this hour, weight, mean logarithm. */
export const HOUR_TOPS_STATE: number = 1 + 3 * TOPS;

export class HourTops {
  readonly #s: Float64Array;
  /** Usual top of each quantity; 0 while there is none. Derived. */
  readonly usual: Float64Array = new Float64Array(TOPS);

  /** A zeroed state is a new symbol's. */
  constructor(state: Float64Array) {
    this.#s = state;
    this.#derive();
  }

  /** Moves on to `second`, from which on an hour is counted where none was. */
  enter(second: number): void {
    const s = this.#s;
    if (s[0] === 0) s[0] = second;
    const hours = Math.floor((second - s[0]!) / HOUR_S);
    if (hours === 0) return;
    s[0] = s[0]! + hours * HOUR_S;
    for (let i = 0; i < TOPS; i++) {
      const at = 1 + 3 * i;
      if (s[at] === 0) continue;
      const weight = s[at + 1]! * KEEP + 1;
      s[at + 2] = s[at + 2]! + (log(s[at]!) - s[at + 2]!) / weight;
      s[at + 1] = weight;
      s[at] = 0;
    }
    this.#derive();
  }

  see(quantity: number, value: number): void {
    const at = 1 + 3 * quantity;
    if (value > this.#s[at]!) this.#s[at] = value;
  }

  #derive(): void {
    for (let i = 0; i < TOPS; i++) {
      const hours = this.#s[2 + 3 * i]!;
      this.usual[i] = hours > 0 ? exp(this.#s[3 + 3 * i]! + YOUNG / hours) : 0;
    }
  }
}
