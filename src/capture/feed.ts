/**
 * One shard of symbols on one connection at a time: reconnects with back-off and jitter, other endpoints in turn, rotates
 * before the exchange cuts (make before break), notices silence.
 */
import { parseFrame, streamUrl } from '../exchange/binance/frames.ts';
import type { TradeText } from '../market/records.ts';
import type { Socket, Transport } from '../transport/transport.ts';

export interface FeedHandlers {
  trade(trade: TradeText): void;
  /** The exchange's event time, ms. */
  time(eventMs: number): void;
  connected(): void;
  lost(reason: string): void;
  malformed(frame: Uint8Array, reason: string): void;
}

const ROTATE_MS = 23 * 3_600_000;
const SILENT_MS = 10_000;
const BACK_OFF_FIRST_MS = 250;
const BACK_OFF_MAX_MS = 30_000;

export class Feed {
  readonly #transport: Transport;
  readonly #endpoints: readonly string[];
  readonly #symbols: readonly string[];
  readonly #handlers: FeedHandlers;
  #socket: Socket | null = null;
  #lastFrame = 0;
  #openedAt = 0;
  #attempt = 0;
  #stopped = false;
  #paused = false;
  #connecting = false;

  constructor(transport: Transport, endpoints: readonly string[], symbols: readonly string[], handlers: FeedHandlers) {
    this.#transport = transport;
    this.#endpoints = endpoints;
    this.#symbols = symbols;
    this.#handlers = handlers;
  }

  start(): void {
    void this.#connect();
    this.#watch();
  }

  stop(): void {
    this.#stopped = true;
    this.#socket?.close();
  }

  /** Reads more slowly: nothing is dropped, the network's buffers fill. */
  pause(): void {
    this.#paused = true;
    this.#socket?.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#lastFrame = this.#transport.now();
    this.#socket?.resume();
  }

  #watch(): void {
    this.#transport.setTimer(1000, () => {
      if (this.#stopped) return;
      const now = this.#transport.now();
      if (this.#socket && !this.#paused && now - this.#lastFrame > SILENT_MS) this.#socket.close();
      else if (this.#socket && now - this.#openedAt > ROTATE_MS) void this.#connect();
      this.#watch();
    });
  }

  /** Opens a connection; the one before is closed when the new one has spoken. */
  async #connect(): Promise<void> {
    if (this.#connecting || this.#stopped) return;
    this.#connecting = true;
    const endpoint = this.#endpoints[this.#attempt % this.#endpoints.length]!;
    const before = this.#socket;
    let mine: Socket | null = null;
    try {
      mine = await this.#transport.connect(streamUrl(endpoint, this.#symbols), {
        message: (data) => {
          this.#lastFrame = this.#transport.now();
          this.#frame(data);
        },
        close: (code) => {
          if (this.#socket !== mine) return;
          this.#socket = null;
          if (this.#stopped) return;
          this.#handlers.lost(`the connection was closed (${code})`);
          this.#retry();
        },
      });
    } catch (error) {
      this.#connecting = false;
      this.#handlers.lost(error instanceof Error ? error.message : String(error));
      this.#retry();
      return;
    }
    this.#connecting = false;
    this.#attempt = 0;
    this.#socket = mine;
    this.#openedAt = this.#transport.now();
    this.#lastFrame = this.#openedAt;
    if (this.#paused) mine.pause();
    before?.close();
    if (this.#stopped) mine.close();
    else this.#handlers.connected();
  }

  #retry(): void {
    this.#attempt++;
    const most = Math.min(BACK_OFF_MAX_MS, BACK_OFF_FIRST_MS * 2 ** this.#attempt);
    const wait = most * (0.5 + 0.5 * this.#transport.random());
    this.#transport.setTimer(wait, () => void this.#connect());
  }

  #frame(data: Uint8Array): void {
    const frame = parseFrame(data);
    if (frame.kind === 'trade') {
      this.#handlers.trade(frame.trade);
      this.#handlers.time(frame.eventMs);
    } else if (frame.kind === 'time') this.#handlers.time(frame.eventMs);
    else if (frame.kind === 'shutdown') void this.#connect();
    else if (frame.kind === 'malformed') this.#handlers.malformed(data, frame.reason);
  }
}
