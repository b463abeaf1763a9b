/** One owned partition of `trades`: its symbols, the epoch of its control records, its heartbeats. */
import { encodeControl, encodeLateTrade, encodeTrade } from '../market/codec.ts';
import type { ControlRecord, TradeText } from '../market/records.ts';
import type { Feed } from './feed.ts';
import type { SymbolCapture } from './symbol-capture.ts';
import type { Writer } from './writer.ts';

const HEARTBEAT_LAG_MS = 2000;

export class PartitionCapture {
  readonly symbols = new Map<string, SymbolCapture>();
  readonly #topic: string;
  readonly #partition: number;
  readonly #epoch: number;
  readonly #writer: Writer;
  #promised: number;

  /** `promised` is the last heartbeat on the tape, ms; 0 where there is none. */
  constructor(topic: string, partition: number, epoch: number, promised: number, writer: Writer) {
    this.#topic = topic;
    this.#partition = partition;
    this.#epoch = epoch;
    this.#promised = promised;
    this.#writer = writer;
  }

  get promised(): number {
    return this.#promised;
  }

  /** True where the trade is stamped before what a heartbeat promised. */
  trade(trade: TradeText): boolean {
    const late = trade.timeUs < this.#promised * 1000;
    this.#push(trade.symbol, late ? encodeLateTrade(trade) : encodeTrade(trade));
    return late;
  }

  control(record: ControlRecord & { readonly symbol: string }): void {
    this.#push(record.symbol, encodeControl({ ...record, epoch: this.#epoch } as ControlRecord));
  }

  /**
   * Says what all symbols are known to have passed: somewhat less than what the exchange has sent on each of their
   * connections, and nothing while one of them waits for a repair or for REST to confirm its last id.
   */
  heartbeat(feedOf: (symbol: string) => Feed | undefined): void {
    let least = Number.POSITIVE_INFINITY;
    for (const [symbol, capture] of this.symbols) {
      const eventMs = feedOf(symbol)?.eventMs ?? 0;
      if (eventMs === 0 || !capture.isWhole) return;
      least = Math.min(least, eventMs);
    }
    const timestamp = Math.floor(least) - HEARTBEAT_LAG_MS;
    if (!Number.isFinite(least) || timestamp <= this.#promised) return;
    this.#promised = timestamp;
    this.#push(null, encodeControl({ type: 'heartbeat', timestamp, epoch: this.#epoch }));
  }

  stop(): void {
    for (const capture of this.symbols.values()) capture.stop();
  }

  #push(key: string | null, record: string): void {
    this.#writer.push({ topic: this.#topic, key, value: Buffer.from(record), partition: this.#partition });
  }
}
