/** Tapes through the same step as live: their anomalies in one order, for one or several policies, on one or several cores. */
import type { Policy } from '../detection/detector.ts';
import type { Anomaly, Bar, TapeRecord } from '../market/records.ts';
import type { Resolve } from '../pipeline/tape-detector.ts';
import { dividedStep } from './division.ts';
import { Step, type StepOptions, type StepResult } from './step.ts';
import { byPlace, type Stretch } from './trace.ts';

export interface BacktestOptions {
  /** Tapes that share no symbol: one of files, or one a partition of a log, whose control records are its own. */
  readonly tapes: readonly AsyncIterable<readonly TapeRecord[]>[];
  readonly policy: Policy;
  /** Other policies with the same model, over the same records: for a sweep. */
  readonly variants?: readonly Policy[];
  /** What activations on the tape ask for; without it `policy` overrides them. */
  readonly resolve?: Resolve;
  readonly onBar?: (bar: Bar) => void;
  readonly trace?: StepOptions['trace'];
  /** Threads to use at most (1). One where bars are asked for, which no other thread can do. */
  readonly threads?: number;
  /** What part of the tape has been read, 0 to 1: a short one is then left to a single thread, which costs less. */
  readonly share?: () => number;
}

export interface BacktestResult {
  /** Ordered by (timestamp, symbol, n). */
  readonly anomalies: readonly Anomaly[];
  /** The same of each variant. */
  readonly variants: readonly (readonly Anomaly[])[];
  /** By symbol and time; none without a trace. */
  readonly stretches: readonly Stretch[];
  readonly trades: number;
  readonly symbols: number;
  readonly lateTrades: number;
}

export async function backtest(options: BacktestOptions): Promise<BacktestResult> {
  const { tapes, policy, variants = [], onBar, resolve, trace = 'none', threads = 1, share } = options;
  const policies = [policy, ...variants];
  const step = { policies, trace, ...(onBar ? { onBar } : {}), ...(resolve ? { resolve } : {}) };
  const [tape] = tapes;
  const divisible = tape && tapes.length === 1 && !onBar && threads > 1;
  const results = divisible
    ? await dividedStep(resolve ? withoutActivations(tape) : tape, { policies, trace }, threads, share)
    : await stepByStep(tapes, step);
  const sum = (count: (result: StepResult) => number): number =>
    results.reduce((total, result) => total + count(result), 0);
  const [anomalies, ...others] = policies.map((_, i) => results.flatMap((result) => result.anomalies[i]!).sort(byTime));
  return {
    anomalies: anomalies!,
    variants: others,
    stretches: results.flatMap(({ stretches }) => stretches).sort(byPlace),
    trades: sum(({ trades }) => trades),
    symbols: sum(({ symbols }) => symbols),
    lateTrades: sum(({ lateTrades }) => lateTrades),
  };
}

/** Other threads can't resolve an activation: a tape with one is for a single thread, from its beginning. */
export class ActivationOnTape extends Error {}

async function* withoutActivations(tape: AsyncIterable<readonly TapeRecord[]>): AsyncIterable<readonly TapeRecord[]> {
  for await (const batch of tape) {
    if (batch.some((record) => 'type' in record && record.type === 'activate')) throw new ActivationOnTape();
    yield batch;
  }
}

async function stepByStep(tapes: BacktestOptions['tapes'], options: StepOptions): Promise<StepResult[]> {
  const results: StepResult[] = [];
  for (const tape of tapes) {
    const step = new Step(options);
    for await (const batch of tape) for (const record of batch) step.push(record);
    results.push(step.result());
  }
  return results;
}

/** The sort is stable, and a symbol's records come in their order. */
function byTime(a: Anomaly, b: Anomaly): number {
  return a.timestamp - b.timestamp || (a.symbol < b.symbol ? -1 : a.symbol > b.symbol ? 1 : 0);
}
