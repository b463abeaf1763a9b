/** Tells halts from silence: asks the exchange about symbols that don't trade, and at the start which ones it lists. */
import type { BinanceRest } from '../exchange/binance/rest.ts';
import type { Transport } from '../transport/transport.ts';
import type { SymbolCapture } from './symbol-capture.ts';

/** A poll weighs 20 of 6,000 a minute for each 200 symbols. */
const POLL_MS = 5000;

export class StatusWatch {
  readonly #transport: Transport;
  readonly #rest: BinanceRest;
  readonly #signal: AbortSignal;
  readonly #unlisted: (symbols: readonly string[]) => void;
  /** Event time of each symbol's last trade at the poll before. */
  readonly #before = new Map<string, number>();
  #listed: ReadonlySet<string> | null = null;

  constructor(
    transport: Transport,
    rest: BinanceRest,
    signal: AbortSignal,
    unlisted: (symbols: readonly string[]) => void,
  ) {
    this.#transport = transport;
    this.#rest = rest;
    this.#signal = signal;
    this.#unlisted = unlisted;
  }

  start(captures: ReadonlyMap<string, SymbolCapture>): void {
    this.#transport.setTimer(POLL_MS, () => {
      if (this.#signal.aborted) return;
      // A failure only means that it asks again.
      const asked = this.#poll(captures).catch(() => undefined);
      void asked.then(() => this.start(captures));
    });
  }

  async #poll(captures: ReadonlyMap<string, SymbolCapture>): Promise<void> {
    const listed = this.#listed ?? (await this.#list(captures));
    const quiet: SymbolCapture[] = [];
    for (const [symbol, capture] of captures) {
      const { lastTradeMs } = capture;
      if (lastTradeMs === this.#before.get(symbol) && listed.has(symbol)) quiet.push(capture);
      this.#before.set(symbol, lastTradeMs);
    }
    if (quiet.length === 0) return;
    const statuses = await this.#rest.statuses(
      quiet.map(({ symbol }) => symbol),
      this.#signal,
    );
    for (const capture of quiet) {
      const status = statuses.get(capture.symbol);
      // Who has traded since the question was asked is not halted, whatever the answer.
      if (status !== undefined && capture.lastTradeMs === this.#before.get(capture.symbol))
        capture.exchangeStatus(status !== 'TRADING');
    }
  }

  async #list(captures: ReadonlyMap<string, SymbolCapture>): Promise<ReadonlySet<string>> {
    const listed = new Set((await this.#rest.statuses(null, this.#signal)).keys());
    const unlisted = [...captures.keys()].filter((symbol) => !listed.has(symbol));
    if (unlisted.length > 0) this.#unlisted(unlisted);
    this.#listed = listed;
    return listed;
  }
}
