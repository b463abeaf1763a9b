/**
 * Capture: frames in, tape records out, every trade id accounted for. Capture processes share the partitions of `trades` as a
 * consumer group; who owns a partition captures the symbols that hash to it, from the last ids that the partition holds.
 */
import type { EventLog, GroupMember, MemberEvent } from '../event-log/event-log.ts';
import { SYMBOLS_A_CONNECTION } from '../exchange/binance/endpoints.ts';
import { ConnectionBudget } from '../exchange/binance/limits.ts';
import { BinanceRest } from '../exchange/binance/rest.ts';
import { TapewatchError } from '../market/error.ts';
import { partitionOf } from '../market/partition.ts';
import type { TradeText } from '../market/records.ts';
import type { Transport } from '../transport/transport.ts';
import { Confirmation } from './confirmation.ts';
import { Feed } from './feed.ts';
import { readTail } from './log-tail.ts';
import { PartitionCapture } from './partition-capture.ts';
import { StatusWatch } from './status-watch.ts';
import { SymbolCapture } from './symbol-capture.ts';
import { Writer } from './writer.ts';

export interface CaptureEvents {
  connected?(connection: number): void;
  lost?(connection: number, reason: string): void;
  /** Its symbols are another process's now, or this one stops. */
  ended?(connection: number): void;
  trades?(count: number): void;
  /** A trade stamped before what a heartbeat had promised. */
  late?(symbol: string): void;
  gap?(symbol: string, trades: number, outcome: 'repaired' | 'lost'): void;
  malformed?(reason: string): void;
  /** Symbols that the exchange does not list. */
  unlisted?(symbols: readonly string[]): void;
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
  /** A name that survives restarts (`MemberOptions.instance`). */
  readonly instance?: string;
  readonly events: CaptureEvents;
}

export interface Capture {
  /** Whether partitions are assigned and their last ids read: what the exchange says of their symbols from now on is kept. */
  readonly isReady: boolean;
  /** Settles when capture ends: rejects where the log or its group fails. */
  readonly running: Promise<void>;
  /** Stops reading, and resolves when all that was read is in the log. */
  stop(): Promise<void>;
}

const GROUP = 'capture';
const HEARTBEAT_MS = 1000;

/** Joins the group; partitions come and go from then on. */
export async function startCapture(options: CaptureOptions): Promise<Capture> {
  const { log, tradesTopic, instance } = options;
  const partitions = await log.partitions(tradesTopic);
  const named = instance === undefined ? {} : { instance };
  const member = await log.join({ group: GROUP, topic: tradesTopic, read: false, ...named });
  return new Running(options, member, partitions);
}

class Running implements Capture {
  readonly running: Promise<void>;
  readonly #options: CaptureOptions;
  readonly #member: GroupMember;
  readonly #rest: BinanceRest;
  readonly #attempts: ConnectionBudget;
  readonly #confirmation: Confirmation;
  readonly #statuses: StatusWatch;
  readonly #writer: Writer;
  readonly #stopping = new AbortController();
  /** The symbols that hash to each partition. */
  readonly #listed: readonly (readonly string[])[];
  readonly #owned = new Map<number, PartitionCapture>();
  readonly #captures = new Map<string, SymbolCapture>();
  readonly #feeds = new Map<string, Feed>();
  #connections = 0;
  #assigning = false;

  constructor(options: CaptureOptions, member: GroupMember, partitions: number) {
    const { transport, log, restEndpoints, symbols, events } = options;
    const { signal } = this.#stopping;
    this.#options = options;
    this.#member = member;
    const listed: string[][] = Array.from({ length: partitions }, () => []);
    for (const symbol of new Set(symbols)) listed[partitionOf(symbol, partitions)]!.push(symbol);
    this.#listed = listed;
    this.#rest = new BinanceRest(transport, restEndpoints, {
      waiting: (ms, status) => events.waiting?.(ms, status),
    });
    this.#attempts = new ConnectionBudget(transport);
    this.#confirmation = new Confirmation({
      transport,
      rest: this.#rest,
      signal,
      captures: this.#captures,
      sentMs: (symbol) => this.#feeds.get(symbol)?.eventMs ?? 0,
    });
    this.#statuses = new StatusWatch(transport, this.#rest, signal, (unlisted) => events.unlisted?.(unlisted));
    this.#writer = new Writer(log, transport, {
      pressure: (on) => {
        for (const feed of new Set(this.#feeds.values()))
          if (on) feed.pause();
          else feed.resume();
      },
      failed: (error) => events.logFailed?.(error),
    });
    this.#beat();
    this.#confirmation.start();
    this.#statuses.start(this.#captures);
    this.running = this.#run();
    // Who waits for the end hears of a failure; who only stops does not.
    this.running.catch(() => undefined);
  }

  get isReady(): boolean {
    return this.#owned.size > 0 && !this.#assigning && !this.#stopping.signal.aborted;
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.running.catch(() => undefined);
  }

  async #run(): Promise<void> {
    try {
      for (;;) await this.#handle(await this.#member.next(this.#stopping.signal));
    } catch (error) {
      if (!(error instanceof TapewatchError && error.code === 'aborted')) throw error;
    } finally {
      this.#stopping.abort();
      for (const feed of new Set(this.#feeds.values())) feed.stop();
      for (const partition of this.#owned.values()) partition.stop();
      await this.#writer.close();
      await this.#member.leave();
    }
  }

  async #handle(event: MemberEvent): Promise<void> {
    if (event.kind === 'batch') return;
    const partitions = event.partitions.map(({ partition }) => partition);
    if (event.kind === 'revoked') await this.#revoke(partitions);
    else await this.#assign(partitions, event.generation);
  }

  async #assign(partitions: readonly number[], generation: number): Promise<void> {
    const { log, tradesTopic } = this.#options;
    this.#assigning = true;
    const fresh: SymbolCapture[] = [];
    for (const partition of partitions) {
      const symbols = this.#listed[partition] ?? [];
      const tail = await readTail(log, tradesTopic, partition, new Set(symbols));
      const epoch = Math.max(generation, tail.epoch + 1);
      const owned = new PartitionCapture(tradesTopic, partition, epoch, tail.promised, this.#writer);
      for (const symbol of symbols) {
        const capture = this.#symbolCapture(symbol, tail.lastIds.get(symbol) ?? -1, owned);
        owned.symbols.set(symbol, capture);
        fresh.push(capture);
      }
      this.#owned.set(partition, owned);
    }
    await this.#keepGroup(partitions);
    for (let i = 0; i < fresh.length; i += SYMBOLS_A_CONNECTION)
      this.#openFeed(fresh.slice(i, i + SYMBOLS_A_CONNECTION));
    this.#assigning = false;
  }

  /** A group lives on by its offsets, and with it the generations that only grow. */
  async #keepGroup(partitions: readonly number[]): Promise<void> {
    const topic = this.#options.tradesTopic;
    try {
      await this.#member.commit(
        [],
        partitions.map((partition) => ({ topic, partition, offset: 0 })),
      );
    } catch (error) {
      // The partitions are gone again: `revoked` says so next.
      if (!(error instanceof TapewatchError && error.code === 'fenced')) throw error;
    }
  }

  /** What was read until now is written first, so that the successor finds it. */
  async #revoke(partitions: readonly number[]): Promise<void> {
    const gone: string[] = [];
    for (const partition of partitions) {
      const owned = this.#owned.get(partition);
      if (!owned) continue;
      owned.stop();
      this.#owned.delete(partition);
      gone.push(...owned.symbols.keys());
    }
    for (const feed of new Set(gone.map((symbol) => this.#feeds.get(symbol))))
      feed?.drop(gone.filter((symbol) => feed.symbols.has(symbol)));
    for (const symbol of gone) {
      this.#captures.delete(symbol);
      this.#feeds.delete(symbol);
    }
    await this.#writer.flush();
  }

  #symbolCapture(symbol: string, lastId: number, owned: PartitionCapture): SymbolCapture {
    const { transport, history_s, repairLimit, events } = this.#options;
    const capture = new SymbolCapture({
      symbol,
      lastId,
      transport,
      rest: this.#rest,
      history_s,
      repairLimit,
      promised: () => owned.promised,
      trade: (trade: TradeText) => {
        events.trades?.(1);
        if (owned.trade(trade)) events.late?.(symbol);
      },
      control: (record) => owned.control(record),
      gap: (count, outcome) => events.gap?.(symbol, count, outcome),
    });
    this.#captures.set(symbol, capture);
    return capture;
  }

  #openFeed(captures: readonly SymbolCapture[]): void {
    const { transport, wsEndpoints, events } = this.#options;
    const connection = this.#connections++;
    const feed = new Feed({
      transport,
      attempts: this.#attempts,
      endpoints: wsEndpoints,
      symbols: captures.map(({ symbol }) => symbol),
      handlers: {
        trade: (trade) => this.#captures.get(trade.symbol)?.live(trade),
        connected: () => {
          events.connected?.(connection);
          for (const capture of captures) if (feed.symbols.has(capture.symbol)) capture.connected();
        },
        lost: (reason) => {
          events.lost?.(connection, reason);
          for (const capture of captures) if (feed.symbols.has(capture.symbol)) capture.lost();
        },
        ended: () => events.ended?.(connection),
        malformed: (frame, reason) => this.#deadLetter(frame, reason),
      },
    });
    for (const { symbol } of captures) this.#feeds.set(symbol, feed);
    feed.start();
  }

  #deadLetter(frame: Uint8Array, reason: string): void {
    this.#options.events.malformed?.(reason);
    const value = JSON.stringify({ reason, source: 'binance', value: Buffer.from(frame).toString('base64') });
    this.#writer.push({ topic: this.#options.deadLetters, key: null, value: Buffer.from(value) });
  }

  #beat(): void {
    this.#options.transport.setTimer(HEARTBEAT_MS, () => {
      if (this.#stopping.signal.aborted) return;
      for (const owned of this.#owned.values()) owned.heartbeat((capture) => this.#confirmation.wholeUntilMs(capture));
      this.#beat();
    });
  }
}
