/**
 * Arrivals of taker orders: a Hawkes process with two exponential kernels, so that orders come in bursts of milliseconds
 * and in spells of a minute. Drawn exactly, without thinning: the wait is the least of one wait a component (Dassios and
 * Zhao 2013).
 */
import type { Draws } from './draws.ts';

/** Orders that one order brings about, on average, by each kernel; and each kernel's decay, 1/s. */
const FAST = { children: 0.4, decay: 30 } as const;
const SLOW = { children: 0.3, decay: 1 / 25 } as const;
const FROM_OUTSIDE = 1 - FAST.children - SLOW.children;
/** A wait is drawn anew after this long, so that a thin symbol too follows the market's mood, s. */
const LOOK_AGAIN_S = 60;

export class Arrivals {
  #fast = 0;
  #slow = 0;
  /** Whether the last wait ended with an order. */
  arrived = true;

  /** Seconds to the next order, or to looking again, where `rate` orders a second are usual now. */
  wait(rate: number, draws: Draws): number {
    if (this.arrived) {
      this.#fast += FAST.children * FAST.decay;
      this.#slow += SLOW.children * SLOW.decay;
    }
    let wait = draws.exponential() / (rate * FROM_OUTSIDE);
    wait = Math.min(wait, decaying(this.#fast, FAST.decay, draws), decaying(this.#slow, SLOW.decay, draws));
    this.arrived = wait <= LOOK_AGAIN_S;
    if (!this.arrived) wait = LOOK_AGAIN_S;
    this.#fast *= Math.exp(-FAST.decay * wait);
    this.#slow *= Math.exp(-SLOW.decay * wait);
    return wait;
  }

  /** After a silence nothing is left of what came before, and an order ends it. */
  calm(): void {
    this.arrived = true;
    this.#fast = 0;
    this.#slow = 0;
  }
}

/** Seconds to the first arrival of a process whose intensity falls from `intensity`; often never. */
function decaying(intensity: number, decay: number, draws: Draws): number {
  const reach = draws.exponential() * decay;
  return reach < intensity ? -Math.log(1 - reach / intensity) / decay : Number.POSITIVE_INFINITY;
}
