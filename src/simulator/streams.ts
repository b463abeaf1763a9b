/** One connection's streams and the frames that flow on them, in the shapes of Binance's web-socket-streams.md. */
import type { TradeText } from '../market/records.ts';

const STREAMS_MAX = 1024;

export class StreamSet {
  readonly combined: boolean;
  readonly microseconds: boolean;
  readonly #names: Set<string>;

  private constructor(names: Iterable<string>, combined: boolean, microseconds: boolean) {
    this.#names = new Set(names);
    this.combined = combined;
    this.microseconds = microseconds;
  }

  /** Null where path or number of streams is refused. */
  static of(path: string, query: URLSearchParams): StreamSet | null {
    const microseconds = query.get('timeUnit')?.toUpperCase() === 'MICROSECOND';
    if (path === '/stream') {
      const names = (query.get('streams') ?? '').split('/').filter((name) => name !== '');
      return names.length > STREAMS_MAX ? null : new StreamSet(names, true, microseconds);
    }
    if (path === '/ws' || path.startsWith('/ws/')) {
      return new StreamSet(
        path
          .slice(4)
          .split('/')
          .filter((name) => name !== ''),
        false,
        microseconds,
      );
    }
    return null;
  }

  names(): Iterable<string> {
    return this.#names;
  }

  hasTrades(symbol: string): boolean {
    return this.tradesOf(symbol) !== null;
  }

  tradesOf(symbol: string): string | null {
    const name = `${symbol.toLowerCase()}@trade`;
    return this.#names.has(name) ? name : null;
  }

  /** The reply to SUBSCRIBE, UNSUBSCRIBE or LIST_SUBSCRIPTIONS; an error for anything else. */
  command(text: string): string | null {
    let message: { method?: unknown; params?: unknown; id?: unknown };
    try {
      message = JSON.parse(text) as typeof message;
    } catch {
      return JSON.stringify({ error: { code: 3, msg: 'Invalid JSON' } });
    }
    const id = message.id ?? null;
    const params = Array.isArray(message.params) ? message.params.map(String) : [];
    if (message.method === 'SUBSCRIBE') for (const name of params) this.#names.add(name);
    else if (message.method === 'UNSUBSCRIBE') for (const name of params) this.#names.delete(name);
    else if (message.method === 'LIST_SUBSCRIPTIONS') return JSON.stringify({ result: [...this.#names], id });
    else return JSON.stringify({ error: { code: 2, msg: 'Invalid request: unknown method' }, id });
    return JSON.stringify({ result: null, id });
  }
}

/** Streams that say something every second, trades or not. */
export function isEverySecond(stream: string): boolean {
  return stream.endsWith('@kline_1s');
}

export function tradeFrame(trade: TradeText, microseconds: boolean): string {
  const time = microseconds ? trade.timeUs : Math.floor(trade.timeUs / 1000);
  return `{"e":"trade","E":${time},"s":"${trade.symbol}","t":${trade.id},"p":"${trade.price}","q":"${trade.volume}","T":${time},"m":${trade.side === 'sell'},"M":true}`;
}

export function tickFrame(stream: string, timeMs: number): string {
  const symbol = stream.slice(0, stream.indexOf('@')).toUpperCase();
  const time = Math.floor(timeMs * 1000);
  return `{"e":"kline","E":${time},"s":"${symbol}","k":{"t":${time - (time % 1_000_000)},"i":"1s","s":"${symbol}","x":false}}`;
}

export function shutdownFrame(timeMs: number, combined: boolean): string {
  const data = `{"e":"serverShutdown","E":${Math.floor(timeMs)}}`;
  return combined ? `{"stream":"!serverShutdown","data":${data}}` : data;
}
