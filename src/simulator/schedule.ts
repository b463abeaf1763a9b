/** When the market has an anomaly, of which kind and size and of which symbol. */
import { KINDS, type Kind } from '../market/records.ts';
import type { Draws } from './draws.ts';

export interface Due {
  readonly us: number;
  /** Index of the symbol. */
  readonly symbol: number;
  readonly kind: Kind;
  readonly size: number;
}

export interface Schedule {
  /** The next one, by time; the same until `begun`. */
  readonly next: Due;
  /** The next one has begun and lasts until then; null: its symbol could not have it. */
  begun(endUs: number | null): void;
}

const SIZES = [1, 3, 10] as const;
/** The hour before an anomaly is to be calm: with a little to spare. */
const CALM_US = 4000e6;

export interface NowAndThenOptions {
  readonly symbols: number;
  /** Time of the first, µs; mean time between two, over the whole market, s. */
  readonly fromUs: number;
  readonly every_s: number;
  /** Least time between two of a symbol, s. */
  readonly calm_s: number;
}

/** One after the other, without end; every kind once before one comes again, the loudest first. */
export class NowAndThen implements Schedule {
  readonly #options: NowAndThenOptions;
  readonly #draws: Draws;
  readonly #freeUs: Float64Array;
  #bag: Kind[] = ['price_jump', 'pump', 'volume_burst'];
  next: Due;

  constructor(options: NowAndThenOptions, draws: Draws) {
    this.#options = options;
    this.#draws = draws;
    this.#freeUs = new Float64Array(options.symbols);
    this.next = this.#due(options.fromUs, 10);
  }

  begun(endUs: number | null): void {
    const { every_s, calm_s } = this.#options;
    if (endUs !== null) this.#freeUs[this.next.symbol] = endUs + calm_s * 1e6;
    else this.#bag.unshift(this.next.kind);
    const wait_s = every_s * (0.25 + 0.75 * this.#draws.exponential());
    this.next = this.#due(this.next.us + Math.round(wait_s * 1e6), SIZES[this.#draws.below(SIZES.length)]!);
  }

  #due(us: number, size: number): Due {
    if (this.#bag.length === 0) this.#bag = shuffled(KINDS, this.#draws);
    const free = [...this.#freeUs.keys()].filter((symbol) => this.#freeUs[symbol]! <= us);
    if (free.length === 0) return this.#due(Math.min(...this.#freeUs) + 1, size);
    return { us, size, kind: this.#bag.shift()!, symbol: free[this.#draws.below(free.length)]! };
  }
}

export interface BenchPlanOptions {
  readonly symbols: number;
  readonly fromUs: number;
  readonly seed: number;
}

/**
 * Every kind in every size: three a symbol and round (13 symbols have all 39 once), over the seeds each on other symbols,
 * and a calm hour before each.
 */
export class BenchPlan implements Schedule {
  readonly #seed: number;
  readonly #draws: Draws;
  readonly #due: Due[];
  readonly #round: number[];
  next: Due;

  constructor({ symbols, fromUs, seed }: BenchPlanOptions, draws: Draws) {
    this.#seed = seed;
    this.#draws = draws;
    this.#round = new Array<number>(symbols).fill(0);
    this.#due = this.#round.map((_, symbol) => this.#planned(symbol, fromUs));
    this.next = this.#earliest();
  }

  begun(endUs: number | null): void {
    const { symbol, us } = this.next;
    this.#due[symbol] =
      endUs === null ? { ...this.next, us: us + 60e6 } : this.#planned(symbol, Math.max(us, endUs) + CALM_US);
    this.next = this.#earliest();
  }

  #planned(symbol: number, fromUs: number): Due {
    const item = 3 * symbol + this.#round[symbol]! + 17 * this.#seed;
    this.#round[symbol]!++;
    const kind = KINDS[Math.floor(item / SIZES.length) % KINDS.length]!;
    const size = SIZES[item % SIZES.length]!;
    return { symbol, kind, size, us: Math.round(fromUs + 300e6 * this.#draws.next()) };
  }

  #earliest(): Due {
    return this.#due.reduce((first, due) => (due.us < first.us ? due : first));
  }
}

/** A market without anomalies. */
export const CALM: Schedule = {
  next: { us: Number.POSITIVE_INFINITY, symbol: 0, kind: 'silence', size: 1 },
  begun: () => undefined,
};

function shuffled<T>(items: readonly T[], draws: Draws): T[] {
  const out = [...items];
  for (let i = out.length - 1; i > 0; i--) {
    const j = draws.below(i + 1);
    [out[i], out[j]] = [out[j]!, out[i]!];
  }
  return out;
}
