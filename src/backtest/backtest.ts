/** A tape through the same step as live: its anomalies in one order, its bars, and what it cost. */
import type { Policy } from '../detection/detector.ts';
import type { Activate, Anomaly, Bar, TapeRecord } from '../market/records.ts';
import { TapeDetector } from '../pipeline/tape-detector.ts';

export interface BacktestOptions {
  /** Tapes that share no symbol: one of files, or one a partition of a log, whose control records are its own. */
  readonly tapes: readonly AsyncIterable<readonly TapeRecord[]>[];
  readonly policy: Policy;
  readonly resolve?: (activate: Activate, before: Policy) => Policy | null;
  readonly onBar?: (bar: Bar) => void;
}

export interface BacktestResult {
  /** Ordered by (timestamp, symbol, n). */
  readonly anomalies: readonly Anomaly[];
  readonly trades: number;
  readonly symbols: number;
  readonly lateTrades: number;
}

export async function backtest(options: BacktestOptions): Promise<BacktestResult> {
  const anomalies: Anomaly[] = [];
  const onBar = options.onBar ?? ((): void => undefined);
  const output = { anomaly: (anomaly: Anomaly) => anomalies.push(anomaly), bar: onBar };
  const { policy, resolve } = options;
  const runs = options.tapes.map((tape) => ({
    tape,
    detector: new TapeDetector({ policy, output, ...(resolve ? { resolve } : {}) }),
  }));
  for (const { tape, detector } of runs) {
    for await (const batch of tape) for (const record of batch) detector.push(record);
  }
  const detectors = runs.flatMap(({ detector }) => [...detector.detectors.values()]);
  return {
    // The sort is stable, and a symbol's records come in their order.
    anomalies: anomalies.sort(
      (a, b) => a.timestamp - b.timestamp || (a.symbol < b.symbol ? -1 : a.symbol > b.symbol ? 1 : 0),
    ),
    trades: runs.reduce((sum, { detector }) => sum + detector.trades, 0),
    symbols: detectors.length,
    lateTrades: detectors.reduce((sum, { lateTrades }) => sum + lateTrades, 0),
  };
}
