/**
 * What REST is asked for so that a heartbeat is true. A live trade shows by its id that nothing before it is missing, but a
 * symbol that is quiet, or was just connected, may have traded unseen. Such symbols are asked for together: the same few
 * requests for hundreds of them, the less often the more they weigh.
 */
import type { BinanceRest } from '../exchange/binance/rest.ts';
import type { Transport } from '../transport/transport.ts';
import type { SymbolCapture } from './symbol-capture.ts';

export interface ConfirmationOptions {
  readonly transport: Transport;
  readonly rest: BinanceRest;
  readonly signal: AbortSignal;
  readonly captures: ReadonlyMap<string, SymbolCapture>;
  /** Up to here, ms, the exchange has sent what it has for a symbol; 0 while that is not known. */
  sentMs(symbol: string): number;
}

const LOOK_MS = 1000;
/** Symbols asked for, at most, and how often: so that it weighs a fifth of the budget. */
const PERIODS_MS: readonly (readonly [number, number])[] = [
  [20, 1000],
  [100, 4000],
  [Number.POSITIVE_INFINITY, 10_000],
];
/** Long enough for REST to know what was traded before a connection, or before what a stream has told. */
const REST_LAG_MS = 2000;
/** Without an answer for this long a quiet symbol is taken to be quiet. */
const PATIENCE_MS = 60_000;

export class Confirmation {
  readonly #options: ConfirmationOptions;
  #askedAt = 0;
  #answeredAt: number;

  constructor(options: ConfirmationOptions) {
    this.#options = options;
    this.#answeredAt = options.transport.now();
  }

  start(): void {
    const { transport, signal } = this.#options;
    transport.setTimer(LOOK_MS, () => {
      if (signal.aborted) return;
      const unsure = this.#unsure();
      const [, periodMs] = PERIODS_MS.find(([most]) => unsure.length <= most)!;
      const due = unsure.length === 0 || transport.now() - this.#askedAt >= periodMs;
      void (due ? this.#ask(unsure) : Promise.resolve()).then(() => this.start());
    });
  }

  /** Up to here, ms, all that was traded is on its way to the log. */
  wholeUntilMs(capture: SymbolCapture): number {
    const { transport } = this.#options;
    const sent = this.#options.sentMs(capture.symbol);
    if (sent === 0 || !capture.isWhole) return 0;
    const unheard = transport.now() - this.#answeredAt > PATIENCE_MS;
    const known = unheard ? sent : capture.knownUntilMs;
    return Math.min(sent - REST_LAG_MS, known);
  }

  #unsure(): SymbolCapture[] {
    const { transport, captures, sentMs } = this.#options;
    return [...captures.values()].filter((capture) => {
      if (!capture.isConnected || capture.isMissing) return false;
      if (capture.doubt !== null) return transport.now() - capture.doubt >= REST_LAG_MS;
      return capture.knownUntilMs < sentMs(capture.symbol) - REST_LAG_MS;
    });
  }

  async #ask(captures: readonly SymbolCapture[]): Promise<void> {
    const { transport, rest, signal, sentMs } = this.#options;
    const asked = captures.map((capture) => {
      const { doubt, symbol } = capture;
      return { capture, doubt, untilMs: sentMs(symbol) - REST_LAG_MS };
    });
    if (asked.length > 0) this.#askedAt = transport.now();
    try {
      const lastIds = await rest.lastIds(
        asked.map(({ capture }) => capture.symbol),
        signal,
      );
      this.#answeredAt = transport.now();
      for (const { capture, doubt, untilMs } of asked)
        capture.confirm(doubt, lastIds.get(capture.symbol) ?? -1, untilMs);
    } catch {
      // It is asked again.
    }
  }
}
