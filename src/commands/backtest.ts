/** `tapewatch backtest`: tapes in, anomalies out as NDJSON, in one order, the same bytes each time; grades and a page beside. */
import { readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { ActivationOnTape, type BacktestResult, backtest } from '../backtest/backtest.ts';
import { type Grade, grade } from '../backtest/grade.ts';
import { type Labels, readLabels } from '../backtest/labels.ts';
import { type SweepPoint, sweepPoint } from '../backtest/sweep.ts';
import type { Policy } from '../detection/detector.ts';
import { encodeAnomaly } from '../market/codec.ts';
import { TapewatchError } from '../market/error.ts';
import { type Bar, laneOf } from '../market/records.ts';
import { settingsId } from '../model/artefact-file.ts';
import type { Resolve, Wanted } from '../pipeline/tape-detector.ts';
import { BarFile } from './bar-file.ts';
import { gradeText, sweepText } from './grade-text.ts';
import { Progress, print, say } from './output.ts';
import { type PolicyOptions, policyOf } from './policy.ts';
import { type BacktestRun, reportOf } from './report.ts';
import { openTapes } from './tapes.ts';

export interface BacktestCommand extends PolicyOptions {
  readonly tape: readonly string[];
  readonly symbol?: string;
  readonly bars?: string;
  readonly jobs?: string;
  readonly labels?: string;
  readonly warmUp?: string;
  readonly sweep?: string | true;
  readonly report?: string;
  readonly json?: boolean;
}

const SWEEP_BUDGETS = '0.1,0.25,0.5,1,2,4,8,24';

export async function runBacktest(options: BacktestCommand, version: string): Promise<void> {
  const policy = policyOf(options);
  const labels = options.labels === undefined ? null : labelsOf(options.labels, options.warmUp);
  const budgets = budgetsOf(options.sweep);
  const started = process.cpuUsage();
  const result = await runTapes(options, policy, budgets);
  for (const anomaly of result.anomalies) await print(`${encodeAnomaly(anomaly)}\n`);
  const { user, system } = process.cpuUsage(started);
  const graded = labels ? grade(result, labels) : null;
  const sweep = budgets.map((budget, i) => sweepPoint(budget, result.variants[i]!, result.stretches, labels));
  tell(options, result, (user + system) / 1e6, graded, sweep);
  if (options.report === undefined) return;
  const run: BacktestRun = { options, policy, result, graded, sweep, version };
  write(options.report, reportOf(run));
  if (!options.json) say(`${options.report}: open it in a browser.`);
}

async function runTapes(options: BacktestCommand, policy: Policy, budgets: readonly number[]): Promise<BacktestResult> {
  const bars = options.bars === undefined ? null : new BarFile(options.bars);
  const jobs = options.jobs === undefined ? null : jobsOf(options.jobs);
  let read = 0;
  const {
    read: open,
    size,
    resolve,
    close,
  } = await openTapes(options.tape, {
    ...(options.symbol ? { symbol: options.symbol } : {}),
    onProgress: (count) => {
      read = count;
      progress.show(count);
    },
  });
  const progress = new Progress('backtest', size);
  try {
    const run = (threads: { threads: number; share?: () => number }): Promise<BacktestResult> =>
      backtest({
        tapes: open(),
        policy,
        variants: budgets.map((budget) => withBudget(policy, budget)),
        // What is given as an option counts; the rest is as the tape's own activations say.
        ...(budgets.length > 0 ? {} : { resolve: (wanted, before) => overlaid(options, resolve, wanted, before) }),
        trace:
          options.report !== undefined ? 'pictures' : options.labels !== undefined || options.sweep ? 'time' : 'none',
        ...threads,
        ...(bars ? { onBar: (bar: Bar) => bars.write(bar) } : {}),
      });
    const many =
      jobs === null ? { threads: availableParallelism(), share: () => read / Math.max(1, size) } : { threads: jobs };
    return await run(many).catch((error: unknown) => {
      if (error instanceof ActivationOnTape) return run({ threads: 1 });
      throw error;
    });
  } finally {
    progress.end();
    bars?.close();
    await close();
  }
}

function overlaid(options: BacktestCommand, resolve: Resolve, wanted: Wanted, before: Policy): Policy | null {
  const its = resolve(options.model === undefined ? wanted : { ...wanted, model: null }, before);
  return its && policyOf(options, its);
}

/** Figures in words, or with --json as one object; on stderr, since stdout has the anomalies. */
function tell(
  options: BacktestCommand,
  result: BacktestResult,
  cpu_s: number,
  graded: Grade | null,
  sweep: readonly SweepPoint[],
): void {
  const { trades, symbols, lateTrades } = result;
  const incidents = result.anomalies.filter(({ phase, id }) => phase === 'open' && laneOf(id) === 'market').length;
  const faults = result.anomalies.filter(({ phase, id }) => phase === 'open' && laneOf(id) === 'data').length;
  if (options.json) {
    const figures = { trades, symbols, late_trades: lateTrades, incidents, data_faults: faults, cpu_s };
    say(JSON.stringify({ ...figures, ...(graded ? { grade: graded } : {}), ...(sweep.length > 0 ? { sweep } : {}) }));
    return;
  }
  const late = lateTrades > 0 ? `, ${lateTrades} late` : '';
  const data = faults > 0 ? ` and ${faults} data fault${faults === 1 ? '' : 's'}` : '';
  say(
    `${trades} trades of ${symbols} symbol${symbols === 1 ? '' : 's'}${late}, ${incidents} incident${incidents === 1 ? '' : 's'}${data}, ${cpu_s.toFixed(1)} s of CPU`,
  );
  if (graded) say(gradeText(graded));
  if (sweep.length > 0) say(sweepText(sweep));
}

function withBudget(policy: Policy, budget: number): Policy {
  const settings = { ...policy.settings, budget };
  return { ...policy, settings, settingsId: settingsId(settings) };
}

/** @throws TapewatchError `usage`. */
function labelsOf(path: string, warmUp: string | undefined): Labels {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new TapewatchError('usage', `Can't read the labels ${path}: ${(cause as Error).message}.`, { cause });
  }
  const labels = readLabels(text, path);
  if (warmUp === undefined) return labels;
  const hours = Number(warmUp);
  if (!(hours >= 0))
    throw new TapewatchError('usage', `--warm-up is ${warmUp}: it must be a number of hours, 0 or more.`);
  return { ...labels, protocol: { ...labels.protocol, warmUp_s: hours * 3600 } };
}

/** @throws TapewatchError `usage`. */
function budgetsOf(sweep: string | true | undefined): number[] {
  if (sweep === undefined) return [];
  const budgets = (sweep === true ? SWEEP_BUDGETS : sweep).split(',').map(Number);
  if (!budgets.every((budget) => budget >= 0.001 && budget <= 1000))
    throw new TapewatchError(
      'usage',
      `--sweep is ${sweep}: it must be budgets from 0.001 to 1000 with commas between.`,
    );
  return budgets.sort((a, b) => a - b);
}

/** @throws TapewatchError `usage`. */
function jobsOf(text: string): number {
  const jobs = Number(text);
  if (!Number.isInteger(jobs) || jobs < 1 || jobs > 256)
    throw new TapewatchError('usage', `--jobs is ${text}: it must be a whole number from 1 to 256.`);
  return jobs;
}

/** @throws TapewatchError `usage`. */
export function write(path: string, text: string): void {
  try {
    writeFileSync(path, text);
  } catch (cause) {
    throw new TapewatchError('usage', `Can't write ${path}: ${(cause as Error).message}.`, { cause });
  }
}
