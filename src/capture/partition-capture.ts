/** One owned partition of `trades`: its symbols, the epoch of its control records, its heartbeats. */
import { encodeControl, encodeLateTrade, encodeTrade } from '../market/codec.ts';
import type { ControlRecord, TradeText } from '../market/records.ts';
import type { SymbolCapture } from './symbol-capture.ts';
import type { Writer } from './writer.ts';

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

  /** Says what all symbols are known to have passed: nothing while one of them waits for a repair, or for REST's word. */
  heartbeat(wholeUntilMs: (capture: SymbolCapture) => number): void {
    let least = Number.POSITIVE_INFINITY;
    for (const capture of this.symbols.values()) least = Math.min(least, wholeUntilMs(capture));
    const timestamp = Math.floor(least);
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
