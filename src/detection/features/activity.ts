/** Which share of seconds has trades, over the last hour and the last days: what a silence is measured against. */
import { exp, LN2 } from '../math.ts';

const FAST_S = 3600;
const SLOW_S = 48 * 3600;
const FAST_KEEP: number = exp(-LN2 / FAST_S);
const SLOW_KEEP: number = exp(-LN2 / SLOW_S);

const FIELD = { fast: 0, fastWeight: 1, slow: 2, slowWeight: 3 } as const;
export const ACTIVITY_STATE = 4;

export class Activity {
  readonly #s: Float64Array;

  constructor(state: Float64Array) {
    this.#s = state;
  }

  /** The lesser of both shares, for quiet hours are no alarm; 0 while nothing is known. */
  get share(): number {
    const s = this.#s;
    if (s[FIELD.slowWeight] === 0) return 0;
    return Math.min(s[FIELD.fast]! / s[FIELD.fastWeight]!, s[FIELD.slow]! / s[FIELD.slowWeight]!);
  }

  /** A second that had trades. */
  trade(): void {
    const s = this.#s;
    s[FIELD.fast] = s[FIELD.fast]! * FAST_KEEP + 1;
    s[FIELD.fastWeight] = s[FIELD.fastWeight]! * FAST_KEEP + 1;
    s[FIELD.slow] = s[FIELD.slow]! * SLOW_KEEP + 1;
    s[FIELD.slowWeight] = s[FIELD.slowWeight]! * SLOW_KEEP + 1;
  }

  /** So many seconds without any, all at once. */
  silence(seconds: number): void {
    const s = this.#s;
    const fastKept = exp((-LN2 * seconds) / FAST_S);
    const slowKept = exp((-LN2 * seconds) / SLOW_S);
    s[FIELD.fast] = s[FIELD.fast]! * fastKept;
    s[FIELD.slow] = s[FIELD.slow]! * slowKept;
    s[FIELD.fastWeight] = s[FIELD.fastWeight]! * fastKept + (1 - fastKept) / (1 - FAST_KEEP);
    s[FIELD.slowWeight] = s[FIELD.slowWeight]! * slowKept + (1 - slowKept) / (1 - SLOW_KEEP);
  }
}
