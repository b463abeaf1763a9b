/**
 * What drives a market: a mood (log activity, pulled back to zero: busy times come in spells and are volatile times too)
 * and one factor that moves all prices. Both are functions of time that are drawn as time goes on.
 */
import type { Draws } from './draws.ts';

/** Deviation of a mood, and the time in which it forgets a factor of e, s. */
const MOOD_DEVIATION = 0.45;
const MOOD_MEMORY_S = 300;

/** An Ornstein-Uhlenbeck process, moved on exactly whatever the step. */
export class Mood {
  value: number;
  #at_s: number;

  constructor(draws: Draws, at_s: number) {
    this.value = MOOD_DEVIATION * draws.normal();
    this.#at_s = at_s;
  }

  /** Moves on to `at_s`, in steps of at least a second. */
  advance(at_s: number, draws: Draws): void {
    const step_s = at_s - this.#at_s;
    if (step_s < 1) return;
    const keep = Math.exp(-step_s / MOOD_MEMORY_S);
    this.value = this.value * keep + MOOD_DEVIATION * Math.sqrt(1 - keep * keep) * draws.normal();
    this.#at_s = at_s;
  }
}

/** The market's own mood, and the sum of the common factor's steps, each in units of a usual minute's deviation. */
export class CommonFactor {
  readonly mood: Mood;
  level = 0;
  #at_s: number;

  constructor(draws: Draws, at_s: number) {
    this.mood = new Mood(draws, at_s);
    this.#at_s = at_s;
  }

  advance(at_s: number, draws: Draws): void {
    while (this.#at_s + 1 <= at_s) {
      this.#at_s += 1;
      this.mood.advance(this.#at_s, draws);
      this.level += Math.exp(this.mood.value) * Math.sqrt(1 / 60) * draws.fatNormal();
    }
  }
}

/** Activity by the hour of the day: quiet at night in Europe and America, busy in their common afternoon. */
export function hourly(at_s: number): number {
  return 1 + 0.5 * Math.sin((((at_s / 3600) % 24) - 9) * (Math.PI / 12));
}
