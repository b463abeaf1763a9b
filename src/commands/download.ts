/** Days of aggregate trades from the exchange's history into a folder of daily dumps; what is there is not asked for again. */
import type { AggTrade, BinanceRest } from '../exchange/binance/rest.ts';
import { TapewatchError } from '../market/error.ts';
import { DailyDump } from '../tape-files/daily-dump.ts';
import type { Clock } from '../transport/transport.ts';

export interface DownloadOptions {
  readonly rest: Pick<BinanceRest, 'aggTrades' | 'time'>;
  readonly clock: Pick<Clock, 'sleep'>;
  readonly symbols: readonly string[];
  /** Whole UTC days, the last of them yesterday by the exchange's clock. */
  readonly days: number;
  readonly folder: string;
  readonly signal: AbortSignal;
  /** Days of a symbol done so far, with fractions. */
  readonly onProgress?: (done: number) => void;
  readonly onRetry?: (error: TapewatchError, wait_s: number) => void;
}

const DAY_MS = 86_400_000;
/** Seconds between attempts after the network failed. */
const WAITS_S = [1, 2, 5, 10, 30, 60, 60, 60];

/** The files of the days asked for, by symbol and day. */
export async function download(options: DownloadOptions): Promise<string[]> {
  const { rest, symbols, days, folder, signal, onProgress } = options;
  const now = await persistently(options, () => rest.time(signal));
  const first = Math.floor(now / DAY_MS) * DAY_MS - days * DAY_MS;
  const paths: string[] = [];
  let done = 0;
  for (const symbol of symbols) {
    let ahead: readonly AggTrade[] = [];
    for (let day = first; day < first + days * DAY_MS; day += DAY_MS) {
      const dump = new DailyDump(folder, symbol, day);
      if (dump.isWhole) ahead = [];
      else ahead = await fillDay(options, dump, symbol, day, ahead, (share) => onProgress?.(done + share));
      paths.push(dump.path);
      onProgress?.(++done);
    }
  }
  return paths;
}

/** Returns what was read of the next day. */
async function fillDay(
  options: DownloadOptions,
  dump: DailyDump,
  symbol: string,
  day: number,
  ahead: readonly AggTrade[],
  onShare: (share: number) => void,
): Promise<readonly AggTrade[]> {
  const { rest, signal } = options;
  const end = (day + DAY_MS) * 1000;
  let rows = dump.lastId === null ? ahead : [];
  let next = dump.lastId;
  for (;;) {
    if (rows.length === 0) {
      const from = next === null ? { timeMs: day } : { id: next + 1 };
      rows = await persistently(options, () => rest.aggTrades(symbol, from, signal)).catch((error: unknown) => {
        throw unknownSymbol(error, symbol);
      });
      // Past the last trade there is: the day, which is over, has no more.
      if (rows.length === 0) break;
    }
    const within = rows.filter(({ timeUs }) => timeUs < end);
    dump.append(within);
    const last = within.at(-1);
    if (last) {
      next = last.id;
      onShare((last.timeUs / 1000 - day) / DAY_MS);
    }
    if (within.length < rows.length) {
      dump.finish();
      return rows.slice(within.length);
    }
    rows = [];
  }
  dump.finish();
  return [];
}

/** Goes on through outages of the network for some minutes. */
async function persistently<T>({ clock, signal, onRetry }: DownloadOptions, ask: () => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await ask();
    } catch (error) {
      const wait_s = WAITS_S[attempt];
      if (!(error instanceof TapewatchError) || !error.retryable || wait_s === undefined) throw error;
      onRetry?.(error, wait_s);
      await clock.sleep(wait_s * 1000, signal);
    }
  }
}

function unknownSymbol(error: unknown, symbol: string): unknown {
  if (!(error instanceof TapewatchError) || !error.message.includes('-1121')) return error;
  return new TapewatchError('usage', `The exchange has no symbol ${symbol}: see --symbols.`, { cause: error });
}
