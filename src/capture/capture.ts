/** Capture: frames in, tape records out, every trade id accounted for. */
import type { EventLog, GroupMember } from '../event-log/event-log.ts';
import { SYMBOLS_A_CONNECTION } from '../exchange/binance/endpoints.ts';
import { BinanceRest } from '../exchange/binance/rest.ts';
import { encodeControl, encodeTrade } from '../market/codec.ts';
import { TapewatchError } from '../market/error.ts';
import { partitionOf } from '../market/partition.ts';
import type { ControlRecord, TradeText } from '../market/records.ts';
import type { Transport } from '../transport/transport.ts';
import { Feed } from './feed.ts';
import { readTail } from './log-tail.ts';
import { SymbolCapture } from './symbol-capture.ts';
import { Writer } from './writer.ts';

export interface CaptureEvents {
  connected?(connection: number): void;
  lost?(connection: number, reason: string): void;
  trades?(count: number): void;
  gap?(symbol: string, trades: number, outcome: 'repaired' | 'lost'): void;
  malformed?(reason: string): void;
  logFailed?(error: unknown): void;
  waiting?(ms: number, status: number): void;
}

export interface CaptureOptions {
  readonly transport: Transport;
  readonly log: EventLog;
  readonly symbols: readonly string[];
  readonly wsEndpoints: readonly string[];
  readonly restEndpoints: readonly string[];
  readonly tradesTopic: string;
  readonly deadLetters: string;
  /** History before a symbol's first live trade, s; 0 for none. */
  readonly history_s: number;
  /** Missing trades beyond which the older ones become a gap. */
  readonly repairLimit: number;
  readonly events: CaptureEvents;
}

export interface Capture {
  /** Stops reading, and resolves when all that was read is in the log. */
  stop(): Promise<void>;
}

const HEARTBEAT_MS = 1000;
const HEARTBEAT_LAG_MS = 2000;
/** exchangeInfo weighs 20 of 6,000 a minute. */
const STATUS_POLL_MS = 20_000;

export async function startCapture(options: CaptureOptions): Promise<Capture> {
  const { log, tradesTopic } = options;
  const member = await log.join({ group: 'capture', topic: tradesTopic, read: false });
  const event = await member.next();
  if (event.kind !== 'assigned')
    throw new TapewatchError('log_unavailable', 'Capture was given no partition of the trades topic.');
  const running = new Running(options, member);
  await running.begin(
    event.partitions.map(({ partition }) => partition),
    event.generation,
  );
  return running;
}

class Running implements Capture {
  readonly #options: CaptureOptions;
  readonly #member: GroupMember;
  readonly #rest: BinanceRest;
  readonly #writer: Writer;
  readonly #symbols = new Map<string, SymbolCapture>();
  readonly #stopping = new AbortController();
  /** Each feed with the largest event time the exchange has sent on it, ms; 0 while it is down. */
  readonly #feeds: { readonly feed: Feed; readonly symbols: readonly string[]; eventMs: number }[] = [];
  readonly #epochs = new Map<number, number>();
  readonly #promised = new Map<number, number>();
  #partitions = 1;

  constructor(options: CaptureOptions, member: GroupMember) {
    this.#options = options;
    this.#member = member;
    this.#rest = new BinanceRest(options.transport, options.restEndpoints, {
      waiting: (ms, status) => options.events.waiting?.(ms, status),
    });
    this.#writer = new Writer(options.log, options.transport, {
      pressure: (on) => {
        for (const { feed } of this.#feeds)
          if (on) feed.pause();
          else feed.resume();
      },
      failed: (error) => options.events.logFailed?.(error),
      written: () => undefined,
    });
  }

  async begin(owned: readonly number[], generation: number): Promise<void> {
    const { log, tradesTopic, symbols } = this.#options;
    this.#partitions = await log.partitions(tradesTopic);
    const mine = symbols.filter((symbol) => owned.includes(partitionOf(symbol, this.#partitions)));
    for (const partition of owned) {
      const here = new Set(mine.filter((symbol) => partitionOf(symbol, this.#partitions) === partition));
      const tail = await readTail(log, tradesTopic, partition, here);
      this.#epochs.set(partition, Math.max(generation, tail.epoch + 1));
      for (const symbol of here) this.#symbols.set(symbol, this.#symbolCapture(symbol, tail.lastIds.get(symbol) ?? -1));
    }
    await this.#member.commit(
      [],
      owned.map((partition) => ({ topic: tradesTopic, partition, offset: 0 })),
    );
    for (let i = 0; i < mine.length; i += SYMBOLS_A_CONNECTION) this.#openFeed(mine.slice(i, i + SYMBOLS_A_CONNECTION));
    this.#beat();
    this.#pollStatus();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    for (const { feed } of this.#feeds) feed.stop();
    await this.#writer.flush();
    await this.#member.leave();
  }

  #symbolCapture(symbol: string, lastId: number): SymbolCapture {
    const { transport, history_s, repairLimit, events } = this.#options;
    return new SymbolCapture({
      symbol,
      lastId,
      transport,
      rest: this.#rest,
      history_s,
      repairLimit,
      signal: this.#stopping.signal,
      trade: (trade) => this.#write(trade),
      control: (record) => this.#control(record),
      gap: (count, outcome) => events.gap?.(symbol, count, outcome),
    });
  }

  #openFeed(symbols: readonly string[]): void {
    const { transport, wsEndpoints, events, deadLetters } = this.#options;
    const connection = this.#feeds.length;
    const captures = symbols.map((symbol) => this.#symbols.get(symbol)!);
    const feed = new Feed(transport, wsEndpoints, symbols, {
      trade: (trade) => this.#symbols.get(trade.symbol)?.live(trade),
      time: (eventMs) => {
        if (eventMs > entry.eventMs) entry.eventMs = eventMs;
      },
      connected: () => {
        events.connected?.(connection);
        for (const capture of captures) capture.connected();
      },
      lost: (reason) => {
        entry.eventMs = 0;
        events.lost?.(connection, reason);
        for (const capture of captures) capture.lost();
      },
      malformed: (frame, reason) => {
        events.malformed?.(reason);
        this.#writer.push({ topic: deadLetters, key: null, value: frame });
      },
    });
    const entry = { feed, symbols, eventMs: 0 };
    this.#feeds.push(entry);
    feed.start();
  }

  #write(trade: TradeText): void {
    this.#options.events.trades?.(1);
    const value = Buffer.from(encodeTrade(trade));
    this.#writer.push({
      topic: this.#options.tradesTopic,
      key: trade.symbol,
      value,
      partition: partitionOf(trade.symbol, this.#partitions),
    });
  }

  #control(record: ControlRecord & { readonly symbol: string }): void {
    const partition = partitionOf(record.symbol, this.#partitions);
    const value = Buffer.from(encodeControl({ ...record, epoch: this.#epochs.get(partition)! } as ControlRecord));
    this.#writer.push({ topic: this.#options.tradesTopic, key: record.symbol, value, partition });
  }

  /** Asks now and then which symbols are halted; a failure only means that it asks again. */
  #pollStatus(): void {
    this.#options.transport.setTimer(STATUS_POLL_MS, () => {
      if (this.#stopping.signal.aborted) return;
      const told = this.#rest.halted([...this.#symbols.keys()], this.#stopping.signal).then(
        (halted) => {
          for (const [symbol, capture] of this.#symbols) capture.exchangeStatus(halted.has(symbol));
        },
        () => undefined,
      );
      void told.then(() => this.#pollStatus());
    });
  }

  /** A heartbeat a partition a second: what all its symbols are known to have passed. */
  #beat(): void {
    this.#options.transport.setTimer(HEARTBEAT_MS, () => {
      if (this.#stopping.signal.aborted) return;
      for (const [partition, epoch] of this.#epochs) this.#heartbeat(partition, epoch);
      this.#beat();
    });
  }

  #heartbeat(partition: number, epoch: number): void {
    let least = Number.POSITIVE_INFINITY;
    for (const { symbols, eventMs } of this.#feeds) {
      const here = symbols.filter((symbol) => partitionOf(symbol, this.#partitions) === partition);
      if (here.length === 0) continue;
      if (eventMs === 0 || !here.every((symbol) => this.#symbols.get(symbol)!.isWhole)) return;
      least = Math.min(least, eventMs);
    }
    const timestamp = Math.floor(least) - HEARTBEAT_LAG_MS;
    if (!Number.isFinite(least) || timestamp <= (this.#promised.get(partition) ?? 0)) return;
    this.#promised.set(partition, timestamp);
    const value = Buffer.from(encodeControl({ type: 'heartbeat', timestamp, epoch }));
    this.#writer.push({ topic: this.#options.tradesTopic, key: null, value, partition });
  }
}
