/** An exchange on the virtual transport that does what a test tells it to, and keeps what it was asked. */
import { type Capture, startCapture } from '../../src/capture/capture.ts';
import { topicNames, topicSpecs } from '../../src/event-log/topics.ts';
import type { TradeText } from '../../src/market/records.ts';
import type { HttpResponse, ServerHandlers, ServerSocket } from '../../src/transport/transport.ts';
import { VirtualNetwork, type VirtualProcess } from '../../src/transport/virtual.ts';
import { MemoryLog } from '../faults/simulation/memory-log.ts';

export const START_MS = Date.UTC(2026, 0, 6);

export interface Connection {
  readonly socket: ServerSocket;
  readonly openedMs: number;
  readonly symbols: readonly string[];
  open: boolean;
}

export class ScriptedExchange {
  readonly process: VirtualProcess;
  readonly connections: Connection[] = [];
  readonly requests: { readonly path: string; readonly query: URLSearchParams; readonly atMs: number }[] = [];
  /** All there is of each symbol, whether it was sent or not. */
  readonly trades = new Map<string, TradeText[]>();
  /** Answers in place of the usual one, where it gives something. */
  refuse: (path: string) => HttpResponse | null = () => null;
  ticking = true;
  /** Of every trade: a long one fills buffers with few trades. */
  volume = '2.00000000';
  wsUrl = '';
  httpUrl = '';

  readonly #tickMs: number;

  constructor(process: VirtualProcess, tickMs = 1000) {
    this.process = process;
    this.#tickMs = tickMs;
  }

  async start(): Promise<this> {
    const server = await this.process.listen(0, this.#handlers());
    this.wsUrl = server.wsUrl;
    this.httpUrl = server.httpUrl;
    const tick = (): void => {
      if (this.ticking)
        for (const { socket, open } of this.connections)
          if (open) socket.send(`{"stream":"btcusdt@kline_1s","data":{"e":"kline","E":${this.process.now() * 1000}}}`);
      this.process.setTimer(this.#tickMs, tick);
    };
    tick();
    return this;
  }

  /** The next trade of `symbol`, sent to whom `to` picks. */
  trade(symbol: string, to: (connection: Connection) => boolean = () => true): TradeText {
    const list = this.trades.get(symbol) ?? [];
    this.trades.set(symbol, list);
    const trade: TradeText = {
      timeUs: Math.round(this.process.now() * 1000),
      symbol,
      id: (list.at(-1)?.id ?? 99) + 1,
      price: '1.50000000',
      volume: this.volume,
      side: 'buy',
    };
    list.push(trade);
    for (const connection of this.connections) if (connection.open && to(connection)) this.send(connection, trade);
    return trade;
  }

  send({ socket, symbols }: Connection, { timeUs, symbol, id, price, volume }: TradeText): void {
    if (!symbols.includes(symbol)) return;
    socket.send(
      `{"stream":"${symbol.toLowerCase()}@trade","data":{"e":"trade","E":${timeUs},"s":"${symbol}","t":${id},"p":"${price}","q":"${volume}","T":${timeUs},"m":false,"M":true}}`,
    );
  }

  asked(path: string): number {
    return this.requests.filter((request) => request.path.endsWith(path)).length;
  }

  #handlers(): ServerHandlers {
    return {
      request: (_method, path, query) => {
        this.requests.push({ path, query, atMs: this.process.now() });
        return this.refuse(path) ?? answer(this.#body(path, query));
      },
      socket: (_path, query, socket) => {
        const symbols = (query.get('streams') ?? '')
          .split('/')
          .filter((name) => name.endsWith('@trade'))
          .map((name) => name.replace('@trade', '').toUpperCase());
        const connection: Connection = { socket, openedMs: this.process.now(), symbols, open: true };
        this.connections.push(connection);
        return {
          message: () => undefined,
          close: () => {
            connection.open = false;
          },
        };
      },
    };
  }

  #body(path: string, query: URLSearchParams): unknown {
    const all = this.trades.get(query.get('symbol') ?? '') ?? [];
    const limit = Number(query.get('limit') ?? 500);
    const rows = (list: readonly TradeText[]): unknown[] =>
      list.map(({ id, price, volume, timeUs }) => ({ id, price, qty: volume, time: timeUs, isBuyerMaker: false }));
    if (path.endsWith('/historicalTrades')) {
      const from = Number(query.get('fromId'));
      return rows(all.filter(({ id }) => id >= from).slice(0, limit));
    }
    if (path.endsWith('/trades')) return rows(all.slice(-limit));
    if (path.endsWith('/aggTrades')) return all.slice(-limit).map(({ id }) => ({ f: id, l: id }));
    if (path.endsWith('/klines')) return [];
    if (path.endsWith('/exchangeInfo'))
      return { symbols: [...this.trades.keys()].map((symbol) => ({ symbol, status: 'TRADING' })) };
    const symbols = JSON.parse(query.get('symbols') ?? '[]') as string[];
    return symbols.map((symbol) => ({ symbol, lastId: this.trades.get(symbol)?.at(-1)?.id ?? -1 }));
  }
}

export function answer(body: unknown, status = 200, headers: Record<string, string> = {}): HttpResponse {
  return { status, headers, body: new TextEncoder().encode(JSON.stringify(body)) };
}

export interface SceneOptions {
  readonly symbols: readonly string[];
  readonly endpoints?: number;
  readonly repairLimit?: number;
  readonly history_s?: number;
}

/** One exchange (or several endpoints of it), one log, and captures of them on virtual time. */
export class Scene {
  readonly network = new VirtualNetwork({ seed: 1, startMs: START_MS });
  readonly log = new MemoryLog({ slowShare: 0 });
  readonly topics = topicNames('');
  readonly told: string[] = [];
  readonly captures: Capture[] = [];
  readonly exchanges: ScriptedExchange[];
  readonly #options: SceneOptions;
  readonly #clock = this.network.process();

  constructor(options: SceneOptions) {
    this.#options = options;
    const count = options.endpoints ?? 1;
    this.exchanges = Array.from({ length: count }, () => new ScriptedExchange(this.network.process()));
    this.log.ensure(topicSpecs({ prefix: '', partitions: 1, retentionMs: null }));
  }

  get exchange(): ScriptedExchange {
    return this.exchanges[0]!;
  }

  async start(): Promise<VirtualProcess> {
    for (const exchange of this.exchanges) if (exchange.wsUrl === '') await this.network.drive(exchange.start());
    const process = this.network.process();
    const { symbols, repairLimit = 100_000, history_s = 0 } = this.#options;
    const starting = startCapture({
      transport: process,
      log: this.log.client(process),
      symbols,
      wsEndpoints: this.exchanges.map(({ wsUrl }) => wsUrl),
      restEndpoints: this.exchanges.map(({ httpUrl }) => httpUrl),
      tradesTopic: this.topics.trades,
      deadLetters: this.topics.deadLetters,
      history_s,
      repairLimit,
      events: {
        connected: () => this.told.push('connected'),
        lost: (_connection, reason) => this.told.push(`lost: ${reason}`),
        gap: (symbol, trades, outcome) => this.told.push(`${symbol} ${outcome} ${trades}`),
        late: (symbol) => this.told.push(`${symbol} late`),
        malformed: (reason) => this.told.push(`malformed: ${reason}`),
      },
    });
    this.captures.push(await this.network.drive(starting));
    await this.pass(1);
    return process;
  }

  /** Lets `seconds` pass; `each` is called every `everyMs` meanwhile. */
  async pass(seconds: number, everyMs = 1000, each: () => void = () => undefined): Promise<void> {
    const until = this.#clock.now() + seconds * 1000;
    while (this.#clock.now() < until) {
      each();
      await this.network.drive(this.#clock.sleep(Math.min(everyMs, until - this.#clock.now())));
    }
  }

  /** The records of the tape, in order. */
  records(): Record<string, unknown>[] {
    return this.log
      .topic(this.topics.trades)
      .partitions[0]!.map(({ value }) => JSON.parse(new TextDecoder().decode(value!)) as Record<string, unknown>);
  }

  ids(symbol: string): number[] {
    return this.records()
      .filter((record) => record['symbol'] === symbol && record['type'] === undefined)
      .map(({ id }) => id as number);
  }

  of(type: string): Record<string, unknown>[] {
    return this.records().filter((record) => record['type'] === type);
  }
}

export function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}
