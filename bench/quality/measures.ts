/**
 * What the sections need of tapes and markets, measured through `backtest()`, the code behind the command line. A measure
 * is plain data in, plain data out, so that any thread can take it.
 */
import { backtest } from '../../src/backtest/backtest.ts';
import { policyOf } from '../../src/commands/policy.ts';
import { Continuity } from '../../src/market/continuity.ts';
import { type Anomaly, isTrade, type Kind, type TapeRecord } from '../../src/market/records.ts';
import type { Label } from '../../src/simulator/anomalies.ts';
import { Market } from '../../src/simulator/market-model.ts';
import { readTape } from '../../src/tape-files/tape.ts';

export type Measure =
  | { readonly type: 'tape'; readonly path: string; readonly budgets: readonly number[] }
  | { readonly type: 'market'; readonly seed: number; readonly budget: number };

/** A tape through the detector, once a budget. */
export interface TapeMeasured {
  readonly path: string;
  readonly trades: number;
  /** When the first trade was, ms. */
  readonly from: number;
  /** From the second of the first trade to that of the last, both counted. */
  readonly days: number;
  /** By budget, as text. */
  readonly anomalies: Readonly<Record<string, readonly Anomaly[]>>;
}

export interface Outcome {
  readonly kind: Kind;
  readonly size: number;
  readonly symbol: string;
  readonly found: boolean;
  /** Whether its first record, and any of its records, names the kind. */
  readonly namedFirst: boolean;
  readonly named: boolean;
  /** From the start to the first record, s; null where it wasn't found. */
  readonly delay_s: number | null;
  readonly told: readonly Kind[];
}

export interface MarketMeasured {
  readonly seed: number;
  readonly trades: number;
  /** Without the hour in which nothing alerts. */
  readonly symbolDays: number;
  readonly outcomes: readonly Outcome[];
  /** Incidents opened where nothing was. */
  readonly falseAlerts: readonly { readonly symbol: string; readonly kind: Kind; readonly timestamp: number }[];
}

export type Measured = TapeMeasured | MarketMeasured;

export function measure(task: Measure): Promise<Measured> {
  return task.type === 'tape' ? measureTape(task.path, task.budgets) : measureMarket(task.seed, task.budget);
}

async function measureTape(path: string, budgets: readonly number[]): Promise<TapeMeasured> {
  const [policy, ...variants] = budgets.map((budget) => policyOf({ budget: String(budget) }));
  let from = Number.POSITIVE_INFINITY;
  let to = 0;
  async function* spanned(): AsyncIterable<readonly TapeRecord[]> {
    for await (const batch of readTape([path])) {
      for (const record of batch) {
        if (!isTrade(record)) continue;
        if (record.timestamp < from) from = record.timestamp;
        if (record.timestamp > to) to = record.timestamp;
      }
      yield batch;
    }
  }
  const result = await backtest({ tapes: [spanned()], policy: policy!, variants });
  const lists = [result.anomalies, ...result.variants];
  return {
    path,
    trades: result.trades,
    from,
    days: (Math.floor(to / 1000) - Math.floor(from / 1000) + 1) / 86_400,
    anomalies: Object.fromEntries(budgets.map((budget, i) => [String(budget), lists[i]!])),
  };
}

export const MARKET_START = Date.UTC(2026, 0, 5);
export const MARKET_HOURS = 6.25;
export const MARKET_SYMBOLS = 13;
const WARMING_HOURS = 1;
/** An alert so long after the end still belongs to an anomaly; one within the aftermath is neither found nor false, ms. */
const AFTER_MS = 60_000;
const AFTERMATH_MS = 600_000;

/** The market's trades as a tape that was read from a file. */
export function* marketTape(market: Market, untilMs: number): Generator<readonly TapeRecord[]> {
  const continuity = new Continuity();
  for (let trades = market.next(untilMs); trades.length > 0; trades = market.next(untilMs)) {
    const batch: TapeRecord[] = [];
    for (const { timeUs, symbol, id, price, volume, side } of trades) {
      const trade = { timestamp: timeUs / 1000, symbol, id, price: Number(price), volume: Number(volume), side };
      continuity.admit(trade, 0, 'trade', batch);
    }
    yield batch;
  }
}

async function measureMarket(seed: number, budget: number): Promise<MarketMeasured> {
  const market = new Market({ seed, symbols: MARKET_SYMBOLS, startMs: MARKET_START, anomalies: 'plan' });
  const untilMs = MARKET_START + MARKET_HOURS * 3_600_000;
  async function* tape(): AsyncIterable<readonly TapeRecord[]> {
    yield* marketTape(market, untilMs);
  }
  const { anomalies, trades } = await backtest({ tapes: [tape()], policy: policyOf({ budget: String(budget) }) });
  const told = anomalies.filter(({ phase }) => phase !== 'close');
  const labels = market.labels.filter(({ end }) => end + AFTER_MS < untilMs);
  const opened = told.filter(({ phase }) => phase === 'open');
  const isOf =
    (after: number) =>
    ({ symbol, timestamp }: Anomaly): boolean =>
      market.labels.some(
        (label) => label.symbol === symbol && timestamp >= label.start && timestamp <= label.end + after,
      );
  return {
    seed,
    trades,
    symbolDays: (MARKET_SYMBOLS * (MARKET_HOURS - WARMING_HOURS)) / 24,
    outcomes: labels.map((label) => outcomeOf(label, told)),
    falseAlerts: opened
      .filter((anomaly) => !isOf(AFTERMATH_MS)(anomaly))
      .map(({ symbol, kind, timestamp }) => ({ symbol, kind, timestamp })),
  };
}

/** A missing id is found by a data fault only, anything else by what is told of the market. */
function outcomeOf({ symbol, kind, size, start, end }: Label, told: readonly Anomaly[]): Outcome {
  const records = told.filter(
    (record) =>
      record.symbol === symbol &&
      record.timestamp >= start &&
      record.timestamp <= end + AFTER_MS &&
      (record.kind === 'data_fault') === (kind === 'data_fault'),
  );
  const [first] = records;
  return {
    kind,
    size,
    symbol,
    found: first !== undefined,
    namedFirst: first?.kind === kind,
    named: records.some((record) => record.kind === kind),
    delay_s: first ? (first.timestamp - start) / 1000 : null,
    told: records.map((record) => record.kind),
  };
}

/** All records of a tape, in memory: for sections that time detection alone. */
export async function readWhole(path: string): Promise<TapeRecord[]> {
  const records: TapeRecord[] = [];
  for await (const batch of readTape([path])) records.push(...batch);
  return records;
}

export function tradesOf(records: readonly TapeRecord[]): number {
  return records.reduce((count, record) => count + (isTrade(record) ? 1 : 0), 0);
}
