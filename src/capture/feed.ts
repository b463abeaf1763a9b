/**
 * One shard of symbols on one connection: reconnects with back-off and jitter, other endpoints in turn, notices silence, and
 * hands over to a new connection before the exchange cuts the old one. During a handover both are read; the ledgers drop
 * what comes twice.
 */
import { parseFrame, streamUrl, unsubscribeRequest } from '../exchange/binance/frames.ts';
import type { ConnectionBudget } from '../exchange/binance/limits.ts';
import type { TradeText } from '../market/records.ts';
import type { Socket, Transport } from '../transport/transport.ts';

export interface FeedHandlers {
  trade(trade: TradeText): void;
  /** A connection stands; whether trades were missed before it is not known. */
  connected(): void;
  /** No connection stands; the feed tries on. */
  lost(reason: string): void;
  /** Nobody wants its symbols any more. */
  ended(): void;
  malformed(frame: Uint8Array, reason: string): void;
}

export interface FeedOptions {
  readonly transport: Transport;
  /** Attempts of all feeds together. */
  readonly attempts: ConnectionBudget;
  readonly endpoints: readonly string[];
  readonly symbols: readonly string[];
  readonly handlers: FeedHandlers;
}

/** The exchange cuts after 24 h; feeds spread their handovers over the hour before. */
const ROTATE_MS = 22.5 * 3_600_000;
const ROTATE_SPREAD_MS = 3_600_000;
const SILENT_MS = 10_000;
/** A connection that is relieved gets this long to tell what the new one did not see. */
const HANDOVER_MS = 10_000;
/** How far streams of one connection may be out of step. */
const HANDOVER_MARGIN_MS = 1000;
/** A connection that has stood this long sets the back-off back. */
const STEADY_MS = 10_000;
const WATCH_MS = 1000;
const BACK_OFF_FIRST_MS = 250;
const BACK_OFF_MAX_MS = 30_000;

interface Line {
  readonly socket: Socket;
  readonly openedAt: number;
  /** First and largest event time the exchange has sent on it, ms; 0 before. */
  firstMs: number;
  eventMs: number;
  lastFrame: number;
}

export class Feed {
  readonly #options: FeedOptions;
  readonly #symbols: Set<string>;
  readonly #stopping = new AbortController();
  readonly #rotateMs: number;
  #line: Line | null = null;
  /** The connection that `#line` relieves, until it has told all from before that one. */
  #relieved: Line | null = null;
  /** Whether `#line` has to be relieved. */
  #due = false;
  #attempt = 0;
  #connecting = false;
  #retrying = false;
  #paused = false;

  constructor(options: FeedOptions) {
    this.#options = options;
    this.#symbols = new Set(options.symbols);
    this.#rotateMs = ROTATE_MS + ROTATE_SPREAD_MS * options.transport.random();
  }

  get symbols(): ReadonlySet<string> {
    return this.#symbols;
  }

  /** Up to here, ms, the exchange has sent all it has for these symbols; 0 while that is not known. */
  get eventMs(): number {
    return (this.#relieved ?? this.#line)?.eventMs ?? 0;
  }

  get isConnected(): boolean {
    return this.#line !== null;
  }

  start(): void {
    void this.#connect();
    this.#watch();
  }

  stop(): void {
    this.#stopping.abort();
    for (const line of this.#lines()) line.socket.close();
    this.#line = null;
    this.#relieved = null;
    this.#options.handlers.ended();
  }

  /** Symbols that are no longer wanted; a feed without symbols stops. */
  drop(symbols: readonly string[]): void {
    for (const symbol of symbols) this.#symbols.delete(symbol);
    if (this.#symbols.size === 0) this.stop();
    else for (const line of this.#lines()) line.socket.send(unsubscribeRequest(symbols));
  }

  /** Reads more slowly: nothing is dropped, the network's buffers fill. */
  pause(): void {
    this.#paused = true;
    for (const line of this.#lines()) line.socket.pause();
  }

  resume(): void {
    this.#paused = false;
    for (const line of this.#lines()) {
      line.lastFrame = this.#options.transport.now();
      line.socket.resume();
    }
  }

  #lines(): Line[] {
    return [this.#relieved, this.#line].filter((line) => line !== null);
  }

  #watch(): void {
    const { transport } = this.#options;
    transport.setTimer(WATCH_MS, () => {
      if (this.#stopping.signal.aborted) return;
      if (this.#line && !this.#paused) this.#inspect(this.#line, transport.now());
      this.#watch();
    });
  }

  #inspect(line: Line, now: number): void {
    const age = now - line.openedAt;
    if (age > STEADY_MS) this.#attempt = 0;
    if (this.#relieved && age > HANDOVER_MS) this.#cut(this.#relieved, 'it was relieved');
    if (now - line.lastFrame > SILENT_MS) this.#cut(line, `nothing came for ${SILENT_MS / 1000} s`);
    else if (age > this.#rotateMs) this.#relieve();
  }

  #relieve(): void {
    this.#due = true;
    void this.#connect();
  }

  /** Opens a connection, where none stands or beside the one that has to be relieved. */
  async #connect(): Promise<void> {
    const { signal } = this.#stopping;
    if (this.#connecting || this.#retrying || this.#relieved || (this.#line && !this.#due) || signal.aborted) return;
    this.#connecting = true;
    try {
      await this.#options.attempts.take(signal);
      await this.#open();
    } catch (error) {
      if (signal.aborted) return;
      // Where the old connection still stands nothing is lost yet.
      if (!this.#line) this.#options.handlers.lost(error instanceof Error ? error.message : String(error));
      this.#retry();
    } finally {
      this.#connecting = false;
    }
  }

  async #open(): Promise<void> {
    const { transport, endpoints, handlers } = this.#options;
    const { signal } = this.#stopping;
    const url = streamUrl(endpoints[this.#attempt % endpoints.length]!, [...this.#symbols]);
    let line: Line | null = null;
    const socket = await transport.connect(
      url,
      {
        message: (data) => line && this.#frame(line, data),
        close: (code) => line && this.#closed(line, `the connection was closed (${code})`),
      },
      { signal },
    );
    const now = transport.now();
    line = { socket, openedAt: now, firstMs: 0, eventMs: 0, lastFrame: now };
    this.#relieved = this.#line;
    this.#line = line;
    this.#due = false;
    if (this.#paused) socket.pause();
    if (!this.#relieved) handlers.connected();
  }

  #closed(line: Line, reason: string): void {
    if (this.#stopping.signal.aborted) return;
    if (line === this.#relieved) {
      this.#relieved = null;
      // It had not told all from before the new connection, so something may be missing.
      this.#options.handlers.connected();
    } else if (line === this.#line) {
      this.#line = this.#relieved;
      this.#due = this.#line !== null;
      this.#relieved = null;
      if (!this.#line) this.#options.handlers.lost(reason);
      this.#retry();
    }
  }

  #cut(line: Line, reason: string): void {
    line.socket.close();
    this.#closed(line, reason);
  }

  #retry(): void {
    if (this.#retrying) return;
    this.#retrying = true;
    this.#attempt++;
    const { transport } = this.#options;
    const most = Math.min(BACK_OFF_MAX_MS, BACK_OFF_FIRST_MS * 2 ** this.#attempt);
    transport.setTimer(most * (0.5 + 0.5 * transport.random()), () => {
      this.#retrying = false;
      void this.#connect();
    });
  }

  #frame(line: Line, data: Uint8Array): void {
    // What a connection still gives after it was given up is another connection's to tell.
    if (line !== this.#line && line !== this.#relieved) return;
    line.lastFrame = this.#options.transport.now();
    const frame = parseFrame(data);
    if (frame.kind === 'trade') {
      if (this.#symbols.has(frame.trade.symbol)) this.#options.handlers.trade(frame.trade);
      this.#heard(line, frame.eventMs);
    } else if (frame.kind === 'time') this.#heard(line, frame.eventMs);
    else if (frame.kind === 'shutdown') {
      if (line === this.#line) this.#relieve();
    } else if (frame.kind === 'malformed') this.#options.handlers.malformed(data, frame.reason);
  }

  /** The exchange has sent up to `eventMs` on `line`. An old connection that has come past where the new one began is done. */
  #heard(line: Line, eventMs: number): void {
    if (line.firstMs === 0) line.firstMs = eventMs;
    if (eventMs > line.eventMs) line.eventMs = eventMs;
    const old = this.#relieved;
    const fresh = this.#line;
    if (!old || !fresh || fresh.firstMs === 0 || old.eventMs < fresh.firstMs + HANDOVER_MARGIN_MS) return;
    this.#relieved = null;
    old.socket.close();
  }
}
