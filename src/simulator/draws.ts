/** Draws from the distributions of a market, all from one seeded stream of uniforms. */
import { Random } from '../market/random.ts';

export class Draws extends Random {
  #spare: number | null = null;

  /** Mean one. */
  exponential(): number {
    return -Math.log(1 - this.next());
  }

  /** Standard normal, by Marsaglia's polar method. */
  normal(): number {
    const spare = this.#spare;
    if (spare !== null) {
      this.#spare = null;
      return spare;
    }
    for (;;) {
      const a = 2 * this.next() - 1;
      const b = 2 * this.next() - 1;
      const square = a * a + b * b;
      if (square >= 1 || square === 0) continue;
      const scale = Math.sqrt((-2 * Math.log(square)) / square);
      this.#spare = b * scale;
      return a * scale;
    }
  }

  /** Normal, but one draw in twenty has three times the deviation: the fat tail of returns. */
  fatNormal(): number {
    const wide = this.next() < 0.05;
    return this.normal() * (wide ? 3 : 0.85);
  }
}
