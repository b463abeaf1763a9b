/**
 * After a connection nobody knows whether a symbol traded before it. Its next live trade shows that by its id; symbols that
 * stay quiet are asked for together, which costs the same few requests for hundreds of them.
 */
import type { BinanceRest } from '../exchange/binance/rest.ts';
import type { Transport } from '../transport/transport.ts';
import type { SymbolCapture } from './symbol-capture.ts';

/** Long enough for REST to know what was traded before the connection. */
const ASK_AFTER_MS = 2000;

export class Confirmation {
  readonly #transport: Transport;
  readonly #rest: BinanceRest;
  readonly #signal: AbortSignal;
  readonly #doubtful = new Map<string, SymbolCapture>();
  #asking = false;

  constructor(transport: Transport, rest: BinanceRest, signal: AbortSignal) {
    this.#transport = transport;
    this.#rest = rest;
    this.#signal = signal;
  }

  /** These symbols were just connected. */
  add(captures: readonly SymbolCapture[]): void {
    for (const capture of captures) if (capture.doubt !== null) this.#doubtful.set(capture.symbol, capture);
    if (!this.#asking && this.#doubtful.size > 0) void this.#run();
  }

  async #run(): Promise<void> {
    this.#asking = true;
    try {
      while (this.#doubtful.size > 0) {
        await this.#transport.sleep(ASK_AFTER_MS, this.#signal);
        await this.#ask().catch(() => undefined);
      }
    } catch {
      // Capture stops.
    } finally {
      this.#asking = false;
    }
  }

  async #ask(): Promise<void> {
    const now = this.#transport.now();
    const due: (readonly [SymbolCapture, number])[] = [];
    for (const [symbol, capture] of this.#doubtful) {
      const { doubt } = capture;
      if (doubt === null) this.#doubtful.delete(symbol);
      else if (capture.isConnected && now - doubt >= ASK_AFTER_MS) due.push([capture, doubt]);
    }
    if (due.length === 0) return;
    const lastIds = await this.#rest.lastIds(
      due.map(([{ symbol }]) => symbol),
      this.#signal,
    );
    for (const [capture, doubt] of due) capture.confirm(doubt, lastIds.get(capture.symbol) ?? -1);
  }
}
