/** `tapewatch simulate`: the simulated exchange on sockets, or a tape of it with its labels. */
import { closeSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { TapewatchError } from '../market/error.ts';
import { isTrade, type TradeText } from '../market/records.ts';
import { readSettings } from '../settings.ts';
import { type ExchangeOptions, startExchange } from '../simulator/exchange-server.ts';
import { parseFaults } from '../simulator/faults.ts';
import { Market, type MarketOptions } from '../simulator/market-model.ts';
import { NdjsonWriter } from '../tape-files/ndjson-writer.ts';
import { readTape } from '../tape-files/tape.ts';
import { networkHostAt } from '../transport/network.ts';
import { Progress, print, say } from './output.ts';
import { marketSince } from './simulated-market.ts';

export interface SimulateCommand {
  readonly port: string;
  readonly host?: string;
  readonly seed: string;
  readonly speed: string;
  readonly symbols: string;
  readonly since?: string;
  readonly trades?: string;
  readonly tape?: readonly string[];
  readonly fault: string;
  readonly out?: string;
  readonly labels?: string;
  readonly anomalies: string;
}

const START_MS = Date.UTC(2026, 0, 5);

export async function runSimulate(options: SimulateCommand): Promise<void> {
  const count = whole(options.symbols, '--symbols', 1, 2000);
  const seed = whole(options.seed, '--seed', 0, 2 ** 31);
  const anomalies = plansOf(options.anomalies);
  const trades = options.trades === undefined ? null : whole(options.trades, '--trades', 1, 1e9);
  if (options.out !== undefined)
    return writeMarket(options, { seed, symbols: count, startMs: START_MS, anomalies }, trades ?? 1_000_000);
  const speed = speedOf(options.speed);
  const source = options.tape
    ? await tapeSource(options.tape)
    : options.since !== undefined
      ? sinceSource(options.since, seed, count, speed)
      : marketSource({ seed, symbols: count, startMs: START_MS, anomalies }, trades);
  const exchange = await startExchange({
    host: networkHostAt(readSettings({ host: options.host })['host'] as string),
    port: whole(options.port, '--port', 0, 65_535),
    speed,
    faults: parseFaults(options.fault),
    ...source,
  });
  await print(`${JSON.stringify({ ws: exchange.wsUrl, rest: exchange.httpUrl, symbols: source.symbols })}\n`);
  if (options.since === undefined) say('Waiting for the first subscriber to all symbols; Ctrl-C stops.');
  else say('Trading by the clock; Ctrl-C stops.');
  await new Promise<void>((resolve) => {
    const alive = setInterval(() => undefined, 1000);
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.once(signal, () => {
        clearInterval(alive);
        resolve();
      });
    }
  });
  await exchange.stop();
}

type Source = Omit<ExchangeOptions, 'host' | 'port' | 'speed' | 'faults'>;

const SINCE_MAX_MS = 86_400_000;

/** @throws TapewatchError `usage`. */
function sinceSource(text: string, seed: number, symbols: number, speed: number): Source {
  const sinceMs = Date.parse(text);
  const age = Date.now() - sinceMs;
  if (!(age >= 0 && age <= SINCE_MAX_MS))
    throw new TapewatchError(
      'usage',
      `--since is ${text}: it must be a time within the last day, as 2026-01-05T12:00Z.`,
    );
  return marketSince({ seed, symbols, sinceMs, speed });
}

function marketSource(options: MarketOptions, limit: number | null): Source {
  const market = new Market(options);
  let left = limit ?? Number.POSITIVE_INFINITY;
  return {
    symbols: market.symbols.map(({ name }) => name),
    startMs: options.startMs,
    source: (untilMs) => {
      if (left === 0) return null;
      const trades = market.next(untilMs).slice(0, left);
      left -= trades.length;
      return trades;
    },
  };
}

/** A tape, held in memory with the digits that its numbers have. */
async function tapeSource(paths: readonly string[]): Promise<Source> {
  const trades: TradeText[] = [];
  for await (const batch of readTape(paths)) {
    for (const record of batch) {
      if (!isTrade(record)) continue;
      const { timestamp, symbol, id, price, volume, side } = record;
      trades.push({
        timeUs: Math.round(timestamp * 1000),
        symbol,
        id,
        price: String(price),
        volume: String(volume),
        side,
      });
    }
  }
  const [first] = trades;
  if (!first) throw new TapewatchError('usage', 'The tape to serve is empty.');
  let at = 0;
  return {
    symbols: [...new Set(trades.map(({ symbol }) => symbol))],
    startMs: first.timeUs / 1000,
    source: (untilMs) => {
      if (at === trades.length) return null;
      const from = at;
      while (at < trades.length && at - from < 4096 && trades[at]!.timeUs <= untilMs * 1000) at++;
      return trades.slice(from, at);
    },
  };
}

function writeMarket(options: SimulateCommand, asked: MarketOptions, total: number): void {
  const market = new Market(asked);
  let lastMs = 0;
  const file = openSync(options.out!, 'w');
  const writer = new NdjsonWriter((bytes) => writeSync(file, bytes));
  const progress = new Progress('simulate', total);
  for (let written = 0; written < total; ) {
    const trades = market.next(Number.POSITIVE_INFINITY).slice(0, total - written);
    for (const trade of trades) writer.trade(trade);
    written += trades.length;
    lastMs = trades.at(-1)!.timeUs / 1000;
    progress.show(written);
  }
  writer.flush();
  closeSync(file);
  progress.end();
  // The last one may have begun after the tape's end.
  const labels = market.labels.filter(({ start }) => start <= lastMs);
  if (options.labels) writeFileSync(options.labels, labels.map((label) => `${JSON.stringify(label)}\n`).join(''));
  say(`${total} trades of ${asked.symbols} symbols, ${labels.length} labelled anomalies`);
}

/** @throws TapewatchError `usage`. */
function plansOf(text: string): 'some' | 'plan' | 'none' {
  if (text === 'some' || text === 'plan' || text === 'none') return text;
  throw new TapewatchError('usage', `--anomalies is ${text}: it must be some, plan or none.`);
}

/** @throws TapewatchError `usage`. */
function speedOf(text: string): number {
  const speed = Number(text);
  if (!(speed > 0 && speed <= 1e6))
    throw new TapewatchError('usage', `--speed is ${text}: it must be a number above 0, up to 1000000.`);
  return speed;
}

function whole(text: string, name: string, min: number, max: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < min || value > max) {
    throw new TapewatchError('usage', `${name} is ${text}: it must be a whole number from ${min} to ${max}.`);
  }
  return value;
}
