/**
 * A move that turns: from where the price stood before a jump to its extreme, and whether half of that was taken back.
 * A flash crash is a jump that is retraced within minutes (Kirilenko et al. 2017 describe one). O(1) a trade.
 */
import { exp } from '../math.ts';

/** 1 + |z| of a return from which on a move is followed. */
const FOLLOW_FROM = 2.7;
/** Time after the extreme in which the price has to come back, s. */
const PATIENCE_S = 300;

const FIELD = { before: 0, extreme: 1, strength: 2, since: 3, turned: 4 } as const;
export const EXCURSION_STATE = 5;

export class Excursion {
  readonly #s: Float64Array;

  constructor(state: Float64Array) {
    this.#s = state;
  }

  /** Strength (1 + |z|) of a move of which this trade has taken back a half; 0 where it has not. */
  get strength(): number {
    return this.#s[FIELD.turned] === 1 ? this.#s[FIELD.strength]! : 0;
  }
  /** Where the price stood before the move, and its extreme. */
  get before(): number {
    return this.#s[FIELD.before]!;
  }
  get extreme(): number {
    return this.#s[FIELD.extreme]!;
  }

  /** `strength` is that of the strongest return at this trade, `logReturn` the return itself. */
  push(price: number, time_s: number, strength: number, logReturn: number): void {
    const s = this.#s;
    if (s[FIELD.turned] === 1 || time_s - s[FIELD.since]! > PATIENCE_S) this.restart();
    if (s[FIELD.since] === 0) {
      if (strength >= FOLLOW_FROM && logReturn !== 0) this.#follow(price * exp(-logReturn), price, strength, time_s);
      return;
    }
    const before = s[FIELD.before]!;
    const extreme = s[FIELD.extreme]!;
    const move = extreme - before;
    if ((price - extreme) * move > 0) {
      s[FIELD.extreme] = price;
      s[FIELD.since] = time_s;
      if (strength > s[FIELD.strength]!) s[FIELD.strength] = strength;
    } else if ((price - before) * move < 0 && strength > s[FIELD.strength]!) {
      // Beyond where it began, and stronger: the extreme was the beginning of another move.
      this.#follow(extreme, price, strength, time_s);
    } else if (Math.abs(price - extreme) >= Math.abs(move) / 2) s[FIELD.turned] = 1;
  }

  restart(): void {
    this.#s.fill(0);
  }

  #follow(before: number, extreme: number, strength: number, time_s: number): void {
    const s = this.#s;
    s[FIELD.before] = before;
    s[FIELD.extreme] = extreme;
    s[FIELD.strength] = strength;
    s[FIELD.since] = time_s;
  }
}
