/**
 * The REST requests capture needs (rest-api.md), within the exchange's budget: the weight spent comes from the response
 * headers, 429 and 418 are waited out for as long as Retry-After says, and other endpoints are tried in turn.
 */
import { TapewatchError } from '../../market/error.ts';
import type { HistoryBar, TradeText } from '../../market/records.ts';
import type { Transport } from '../../transport/transport.ts';
import { inUs } from './frames.ts';

/** Weight a minute that is left to others on this address: the exchange allows 6,000. */
const WEIGHT_MAX = 5000;
const ROWS = 1000;

export interface RestEvents {
  /** Requests wait this long, ms, because the exchange or the budget says so. */
  waiting?(ms: number, status: number): void;
}

export class BinanceRest {
  readonly #transport: Transport;
  readonly #endpoints: readonly string[];
  readonly #events: RestEvents;
  #endpoint = 0;
  #notBefore = 0;
  #spent = 0;
  #minute = 0;

  constructor(transport: Transport, endpoints: readonly string[], events: RestEvents = {}) {
    this.#transport = transport;
    this.#endpoints = endpoints;
    this.#events = events;
  }

  /** Up to 1,000 trades from `fromId` on; without it the last `limit`. */
  async trades(symbol: string, fromId: number | null, limit: number, signal: AbortSignal): Promise<TradeText[]> {
    const from = fromId === null ? '' : `&fromId=${fromId}`;
    const path = `/api/v3/historicalTrades?symbol=${symbol}&limit=${Math.min(ROWS, limit)}${from}&timeUnit=MICROSECOND`;
    const rows = (await this.#get(path, 25, signal)) as readonly Record<string, unknown>[];
    return rows.map((row) => ({
      timeUs: inUs(row['time'] as number),
      symbol,
      id: row['id'] as number,
      price: row['price'] as string,
      volume: row['qty'] as string,
      side: row['isBuyerMaker'] === true ? 'sell' : 'buy',
    }));
  }

  /** Seconds with trades in [`fromMs`, `toMs`), up to 1,000 seconds. */
  async secondBars(symbol: string, fromMs: number, toMs: number, signal: AbortSignal): Promise<HistoryBar[]> {
    const path = `/api/v3/klines?symbol=${symbol}&interval=1s&startTime=${fromMs}&endTime=${toMs - 1}&limit=${ROWS}`;
    const rows = (await this.#get(path, 2, signal)) as readonly (readonly (string | number)[])[];
    return rows.map((row) => ({
      type: 'bar',
      symbol,
      timestamp: inUs(Number(row[0])) / 1000,
      open: Number(row[1]),
      high: Number(row[2]),
      low: Number(row[3]),
      close: Number(row[4]),
      volume: Number(row[5]),
      quoteVolume: Number(row[7]),
      trades: Number(row[8]),
      takerBuyVolume: Number(row[9]),
    }));
  }

  /** Symbols that don't trade now. */
  async halted(symbols: readonly string[], signal: AbortSignal): Promise<ReadonlySet<string>> {
    const info = (await this.#get('/api/v3/exchangeInfo?permissions=SPOT', 20, signal)) as {
      readonly symbols: readonly { readonly symbol: string; readonly status: string }[];
    };
    const wanted = new Set(symbols);
    return new Set(
      info.symbols
        .filter(({ symbol, status }) => wanted.has(symbol) && status !== 'TRADING')
        .map(({ symbol }) => symbol),
    );
  }

  async #get(path: string, weight: number, signal: AbortSignal): Promise<unknown> {
    for (let attempt = 0; ; attempt++) {
      await this.#budget(weight, signal);
      const url = `${this.#endpoints[this.#endpoint % this.#endpoints.length]}${path}`;
      const answer = await this.#transport.request({ url, signal }).catch((error: unknown) => {
        if (error instanceof TapewatchError && error.retryable && attempt + 1 < this.#endpoints.length) return null;
        throw error;
      });
      if (answer === null) {
        this.#endpoint++;
        continue;
      }
      const used = Number(answer.headers['x-mbx-used-weight-1m']);
      if (Number.isFinite(used)) this.#spent = used;
      if (answer.status === 200) return JSON.parse(new TextDecoder().decode(answer.body));
      if (answer.status === 429 || answer.status === 418)
        this.#holdOff(Number(answer.headers['retry-after'] ?? 10) * 1000, answer.status);
      else {
        const text = new TextDecoder().decode(answer.body).slice(0, 200);
        throw new TapewatchError('exchange_refused', `${url} answered ${answer.status}: ${text}`, {
          retryable: answer.status >= 500,
        });
      }
    }
  }

  async #budget(weight: number, signal: AbortSignal): Promise<void> {
    const now = this.#transport.now();
    const minute = Math.floor(now / 60_000);
    if (minute !== this.#minute) {
      this.#minute = minute;
      this.#spent = 0;
    }
    if (this.#spent + weight > WEIGHT_MAX) this.#holdOff((minute + 1) * 60_000 - now, 0);
    if (this.#notBefore > now) await this.#transport.sleep(this.#notBefore - now, signal);
    this.#spent += weight;
  }

  #holdOff(ms: number, status: number): void {
    this.#notBefore = Math.max(this.#notBefore, this.#transport.now() + ms);
    this.#events.waiting?.(ms, status);
  }
}
