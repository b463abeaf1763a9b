/**
 * The simulated exchange on sockets: a market or a tape, served by Binance's WebSocket and REST protocol, with faults.
 * Its clock is simulated time, which starts with the first subscription, so that nobody misses the first trade.
 */
import type { TradeText } from '../market/records.ts';
import type { Host, Server, ServerSocket } from '../transport/transport.ts';
import { Archive } from './archive.ts';
import type { Fault } from './faults.ts';
import { Rest } from './rest.ts';
import { isEverySecond, StreamSet, shutdownFrame, tickFrame, tradeFrame } from './streams.ts';

export interface ExchangeOptions {
  readonly host: Host;
  readonly port: number;
  readonly symbols: readonly string[];
  /** Simulated time of the beginning, ms. */
  readonly startMs: number;
  /** Simulated seconds a second. */
  readonly speed: number;
  /** All trades up to a time, some at a call; empty where there are none yet, null at the end of the tape. */
  readonly source: (untilMs: number) => readonly TradeText[] | null;
  readonly faults: readonly Fault[];
  /** Whether time stands still until somebody has subscribed to every symbol (true), so that nobody misses the first trade. */
  readonly waits?: boolean;
  /** Trades from before the beginning, which REST knows. */
  readonly before?: readonly TradeText[];
}

export interface SimulatedExchange {
  readonly httpUrl: string;
  readonly wsUrl: string;
  /** Simulated time, ms. */
  now(): number;
  /** Trades published so far. */
  published(): number;
  stop(): Promise<void>;
}

const STEP_MS = 20;
const PING_MS = 20_000;
/** Bytes a client may leave unread before time stands still for it. */
const UNREAD_BYTES_MAX = 4 << 20;

export async function startExchange(options: ExchangeOptions): Promise<SimulatedExchange> {
  const exchange = new Exchange(options);
  const server = await options.host.listen(options.port, {
    request: (_method, path, query) => exchange.rest.answer(path, query),
    socket: (path, query, socket) => exchange.accept(path, query, socket),
  });
  return exchange.started(server);
}

interface Client {
  readonly socket: ServerSocket;
  readonly streams: StreamSet;
  stalledUntil: number;
}

class Exchange {
  readonly rest: Rest;
  readonly #options: ExchangeOptions;
  readonly #archive = new Archive();
  readonly #clients = new Set<Client>();
  readonly #faults: Fault[];
  #timeMs: number;
  #realMs = 0;
  #begun = false;
  #second = 0;
  #published = 0;
  #hiding: { readonly lost: boolean; left: number } | null = null;
  #heldBack: TradeText | null = null;
  #repeat = 0;
  #haltedUntil = 0;
  /** What a symbol would have traded while it was halted: its ids go on without these. */
  readonly #untraded = new Map<string, number>();
  /** By the clock of who asks: simulated time may stand still. */
  #refused: { readonly status: 429 | 418; readonly until: number } | null = null;
  #toldStillMs = 0;
  #timers: { cancel(): void }[] = [];
  #stopped = false;

  constructor(options: ExchangeOptions) {
    this.#options = options;
    this.#timeMs = options.startMs;
    this.#begun = options.waits === false;
    this.#realMs = options.host.now();
    this.#faults = [...options.faults];
    for (const trade of options.before ?? []) this.#archive.add(trade);
    this.rest = new Rest({
      archive: this.#archive,
      symbols: options.symbols,
      now: () => this.#timeMs,
      halted: () => this.#timeMs < this.#haltedUntil,
      refusal: () => {
        const refused = this.#refused;
        const left = refused ? refused.until - options.host.now() : 0;
        return refused && left > 0 ? { status: refused.status, seconds: left / 1000 } : null;
      },
    });
  }

  started(server: Server): SimulatedExchange {
    this.#every(STEP_MS, () => this.#step());
    this.#every(PING_MS, () => {
      for (const { socket } of this.#clients) socket.ping(String(Math.floor(this.#timeMs)));
    });
    return {
      httpUrl: server.httpUrl,
      wsUrl: server.wsUrl,
      now: () => this.#timeMs,
      published: () => this.#published,
      stop: async () => {
        this.#stopped = true;
        for (const timer of this.#timers) timer.cancel();
        await server.close();
      },
    };
  }

  accept(
    path: string,
    query: URLSearchParams,
    socket: ServerSocket,
  ): ReturnType<Parameters<Host['listen']>[1]['socket']> {
    const streams = StreamSet.of(path, query);
    if (!streams) return { refuse: 404 };
    const client: Client = { socket, streams, stalledUntil: 0 };
    this.#clients.add(client);
    return {
      message: (text) => {
        const reply = streams.command(text);
        if (reply !== null) socket.send(reply);
      },
      close: () => this.#clients.delete(client),
    };
  }

  #every(ms: number, call: () => void): void {
    const { host } = this.#options;
    const again = (): void => {
      if (this.#stopped) return;
      call();
      this.#timers = [...this.#timers.slice(-8), host.setTimer(ms, again)];
    };
    this.#timers.push(host.setTimer(ms, again));
  }

  #step(): void {
    const { host, speed, symbols } = this.#options;
    const real = host.now();
    const elapsed = Math.min(500, real - this.#realMs);
    this.#realMs = real;
    if (!this.#begun) {
      this.#begun = symbols.every((symbol) => [...this.#clients].some(({ streams }) => streams.hasTrades(symbol)));
      if (!this.#begun) return;
    }
    if ([...this.#clients].some(({ socket }) => socket.bufferedBytes() > UNREAD_BYTES_MAX)) return;
    this.#publishUntil(this.#timeMs + elapsed * speed);
  }

  #publishUntil(untilMs: number): void {
    for (;;) {
      const trades = this.#options.source(untilMs);
      if (trades === null) {
        this.#standStill();
        return;
      }
      if (trades.length === 0) break;
      for (const trade of trades) {
        this.#advance(trade.timeUs / 1000);
        this.#published++;
        const untraded = this.#untraded.get(trade.symbol) ?? 0;
        if (this.#timeMs < this.#haltedUntil) this.#untraded.set(trade.symbol, untraded + 1);
        else this.#publish(untraded === 0 ? trade : { ...trade, id: trade.id - untraded });
      }
    }
    this.#advance(untilMs);
  }

  /** After a tape's last trade simulated time stands still, so that nothing follows but what the tape holds. */
  #standStill(): void {
    const now = this.#options.host.now();
    if (now - this.#toldStillMs < 1000) return;
    this.#toldStillMs = now;
    this.#tick();
  }

  /** Moves simulated time on: faults come due, a new second is told. */
  #advance(timeMs: number): void {
    if (timeMs > this.#timeMs) this.#timeMs = timeMs;
    const due = this.#faults[0];
    if (due && this.#timeMs >= this.#options.startMs + due.at_s * 1000) {
      this.#faults.shift();
      this.#strike(due);
    }
    const second = Math.floor(this.#timeMs / 1000);
    if (second === this.#second) return;
    this.#second = second;
    this.#tick();
  }

  /** The streams of every second speak. */
  #tick(): void {
    for (const client of this.#clients) {
      for (const stream of client.streams.names())
        if (isEverySecond(stream)) this.#send(client, stream, tickFrame(stream, this.#timeMs));
    }
  }

  #publish(trade: TradeText): void {
    this.#archive.add(trade);
    if (this.#hiding) {
      if (this.#hiding.lost) this.#archive.forget(trade);
      this.#hiding.left--;
      if (this.#hiding.left <= 0) this.#hiding = null;
      return;
    }
    if (this.#repeat < 0) {
      this.#repeat++;
      this.#heldBack = trade;
      return;
    }
    this.#broadcast(trade);
    if (this.#heldBack) this.#broadcast(this.#heldBack);
    this.#heldBack = null;
    if (this.#repeat > 0) {
      this.#repeat--;
      this.#broadcast(trade);
    }
  }

  #broadcast(trade: TradeText): void {
    for (const client of this.#clients) {
      const stream = client.streams.tradesOf(trade.symbol);
      if (stream !== null) this.#send(client, stream, tradeFrame(trade, client.streams.microseconds));
    }
  }

  #send(client: Client, stream: string, data: string): void {
    if (this.#timeMs < client.stalledUntil) return;
    client.socket.send(client.streams.combined ? `{"stream":"${stream}","data":${data}}` : data);
  }

  #strike({ name, amount }: Fault): void {
    const until = this.#timeMs + amount * 1000;
    if (name === 'cut') for (const { socket } of this.#clients) socket.terminate();
    else if (name === 'hole' || name === 'lost') this.#hiding = { lost: name === 'lost', left: amount };
    else if (name === 'duplicate') this.#repeat = amount;
    else if (name === 'reorder') this.#repeat = -1;
    else if (name === 'stall') for (const client of this.#clients) client.stalledUntil = until;
    else if (name === 'halt') this.#haltedUntil = until;
    else if (name === '429' || name === '418') {
      const { host, speed } = this.#options;
      this.#refused = { status: name === '429' ? 429 : 418, until: host.now() + (amount * 1000) / speed };
    } else if (name === 'malformed')
      for (const { socket } of this.#clients) socket.send('{"stream":"btcusdt@trade","data":{"e":"trade","E":17');
    else this.#shutDown([...this.#clients], amount);
  }

  /** The server these clients are on goes away: they are told, and cut `amount` seconds later. */
  #shutDown(clients: readonly Client[], amount: number): void {
    for (const { socket, streams } of clients) socket.send(shutdownFrame(this.#timeMs, streams.combined));
    this.#options.host.setTimer((amount * 1000) / this.#options.speed, () => {
      for (const { socket } of clients) socket.close(1001);
    });
  }
}
