/**
 * The id ledger of one symbol: every trade once, in order. Ids are the truth: what has passed is a duplicate, what follows
 * a hole is held back until the hole is filled or given up. Ids need not be contiguous on the exchange, so a hole is
 * only suspected until somebody has asked.
 */
import type { TradeText } from './records.ts';

export interface Hole {
  readonly first: number;
  readonly last: number;
}

export class IdLedger {
  #lastId: number;
  /** Held back, by id, all above lastId + 1. */
  #held: TradeText[] = [];
  duplicates = 0;

  /** `lastId` is the last id on the tape, -1 for a symbol without one: then the first trade is where the tape begins. */
  constructor(lastId: number) {
    this.#lastId = lastId;
  }

  get lastId(): number {
    return this.#lastId;
  }
  get heldBack(): number {
    return this.#held.length;
  }

  /** The hole before the first trade held back. */
  hole(): Hole | null {
    const [next] = this.#held;
    return next ? { first: this.#lastId + 1, last: next.id - 1 } : null;
  }

  /** Takes a trade from wherever it comes; trades that are next in order go to `out`. */
  push(trade: TradeText, out: TradeText[]): void {
    if (trade.id <= this.#lastId) this.duplicates++;
    else if (trade.id === this.#lastId + 1 || this.#lastId < 0) {
      out.push(trade);
      this.#lastId = trade.id;
      this.#drain(out);
    } else this.#hold(trade);
  }

  /** Gives up ids up to `last`: they are missing for good, what was held back behind them follows. */
  skip(last: number, out: TradeText[]): void {
    if (last <= this.#lastId) return;
    this.#lastId = last;
    this.#held = this.#held.filter(({ id }) => id > last);
    this.#drain(out);
  }

  #hold(trade: TradeText): void {
    let at = this.#held.length;
    while (at > 0 && this.#held[at - 1]!.id > trade.id) at--;
    if (at > 0 && this.#held[at - 1]!.id === trade.id) this.duplicates++;
    else this.#held.splice(at, 0, trade);
  }

  #drain(out: TradeText[]): void {
    let taken = 0;
    while (taken < this.#held.length && this.#held[taken]!.id === this.#lastId + 1) {
      this.#lastId++;
      out.push(this.#held[taken]!);
      taken++;
    }
    if (taken > 0) this.#held.splice(0, taken);
  }
}
