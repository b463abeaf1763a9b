/** Bid and ask of one symbol around a fair price that moves; both in ticks. */
import type { Draws } from './draws.ts';
import type { SimulatedSymbol } from './symbols.ts';

/** Parts of the common factor and of the symbol's own moves in a usual minute's deviation; their squares sum to about one. */
const COMMON = 0.65;
const OWN = 0.65;

export class Quote {
  bid: number;
  ask: number;
  /** Chance that an order of several fills walks through levels. */
  readonly thinness: number;
  /** Levels it walks through at most. */
  readonly depth: number;
  readonly #spread: number;
  /** Deviation of the log return of a usual minute. */
  readonly #deviation: number;
  /** How far the fair price may leave the spread before the quotes follow. */
  readonly #slack: number;
  #fair: number;
  #common = 0;

  constructor({ ticks, rate, volatility_bp, spread }: SimulatedSymbol, draws: Draws) {
    this.#deviation = volatility_bp / 1e4;
    const minute = ticks * this.#deviation;
    this.#slack = (0.7 * minute) / Math.sqrt(60 * Math.max(1, rate));
    this.thinness = minute > 5 ? 0.8 : 0.1;
    this.depth = Math.max(1, Math.round(minute / (1 + 0.4 * this.#slack)));
    this.#spread = spread;
    this.#fair = ticks;
    this.bid = ticks;
    this.ask = ticks + 1;
    this.#place(draws);
  }

  get middle(): number {
    return Math.max(1, Math.round(this.#fair));
  }

  /** From −1, the fair price at the bid or below, to 1, at the ask or above. */
  get lean(): number {
    const half = (this.ask - this.bid) / 2 + this.#slack;
    return Math.max(-1, Math.min(1, (this.#fair - (this.bid + this.ask) / 2) / half));
  }

  /** Levels to the next with an offer: one in a deep book, more where a tick is tiny. */
  gap(draws: Draws): number {
    return 1 + Math.floor(0.4 * this.#slack * draws.exponential());
  }

  /** The fair price after `step_s`, with the common factor at `common` and the symbol's own mood. */
  move(step_s: number, common: number, mood: number, draws: Draws): void {
    const own = OWN * Math.exp(mood) * Math.sqrt(step_s / 60) * draws.fatNormal();
    this.#fair *= Math.exp(this.#deviation * (COMMON * (common - this.#common) + own));
    this.#common = common;
    if (this.#fair < 2) this.#fair = 2;
    if (this.#fair < this.bid - this.#slack || this.#fair > this.ask + this.#slack) this.#place(draws);
  }

  /** The fair price is that of the path, and everybody trades at it. */
  follow(path: readonly (readonly [us: number, ticks: number])[], us: number, common: number): void {
    const after = Math.max(
      1,
      path.findIndex(([at]) => at >= us),
    );
    const [fromUs, from] = path[after - 1]!;
    const [toUs, to] = path[after]!;
    this.#fair = from + ((to - from) * (us - fromUs)) / (toUs - fromUs);
    this.#common = common;
    this.bid = this.middle;
    this.ask = this.bid;
  }

  /** What a taker order leaves behind. */
  press(buy: boolean, weight: number): void {
    const impact = 0.06 * weight * (this.#slack + (this.ask - this.bid) / 2);
    this.#fair += buy ? impact : -impact;
  }

  #place(draws: Draws): void {
    const wide =
      this.#spread === 1 ? (draws.next() < 0.05 ? 1 : 0) : Math.round((this.#spread - 1) * draws.exponential());
    this.bid = Math.max(1, Math.round(this.#fair - (1 + wide) / 2));
    this.ask = this.bid + 1 + wide;
  }
}
