/** `tapewatch backtest`: tapes in, anomalies out as NDJSON, in one order, the same bytes each time. */
import { closeSync, openSync, writeSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { backtest } from '../backtest/backtest.ts';
import { encodeAnomaly, encodeBar } from '../market/codec.ts';
import { TapewatchError } from '../market/error.ts';
import type { Bar } from '../market/records.ts';
import { Progress, print, say } from './output.ts';
import { type PolicyOptions, policyOf } from './policy.ts';
import { openTapes } from './tapes.ts';

export interface BacktestCommand extends PolicyOptions {
  readonly tape: readonly string[];
  readonly symbol?: string;
  readonly bars?: string;
  readonly jobs?: string;
}

export async function runBacktest(options: BacktestCommand): Promise<void> {
  const policy = policyOf(options);
  const bars = options.bars === undefined ? null : new BarFile(options.bars);
  const started = process.cpuUsage();
  let read = 0;
  const { tapes, bytes, close } = await openTapes(options.tape, {
    ...(options.symbol ? { symbol: options.symbol } : {}),
    onProgress: (count) => {
      read = count;
      progress.show(count);
    },
  });
  const progress = new Progress('backtest', bytes);
  const asked = options.jobs === undefined ? null : jobsOf(options.jobs);
  const result = await backtest({
    tapes,
    policy,
    ...(asked === null
      ? { threads: availableParallelism(), share: () => read / Math.max(1, bytes) }
      : { threads: asked }),
    ...(bars ? { onBar: (bar: Bar) => bars.write(bar) } : {}),
  });
  await close();
  progress.end();
  bars?.close();
  for (const anomaly of result.anomalies) await print(`${encodeAnomaly(anomaly)}\n`);
  const { user, system } = process.cpuUsage(started);
  const opened = result.anomalies.filter(({ phase }) => phase === 'open').length;
  say(
    `${result.trades} trades of ${result.symbols} symbol${result.symbols === 1 ? '' : 's'}, ${opened} incidents, ${((user + system) / 1e6).toFixed(1)} s of CPU`,
  );
}

/** @throws TapewatchError `usage`. */
function jobsOf(text: string): number {
  const jobs = Number(text);
  if (!Number.isInteger(jobs) || jobs < 1 || jobs > 256)
    throw new TapewatchError('usage', `--jobs is ${text}: it must be a whole number from 1 to 256.`);
  return jobs;
}

class BarFile {
  readonly #file: number;
  #lines: string[] = [];

  constructor(path: string) {
    try {
      this.#file = openSync(path, 'w');
    } catch (cause) {
      throw new TapewatchError('usage', `Can't write the bars to ${path}: ${(cause as Error).message}.`, { cause });
    }
  }

  write(bar: Bar): void {
    this.#lines.push(`${encodeBar(bar)}\n`);
    if (this.#lines.length >= 10_000) this.#flush();
  }

  close(): void {
    this.#flush();
    closeSync(this.#file);
  }

  #flush(): void {
    writeSync(this.#file, this.#lines.join(''));
    this.#lines = [];
  }
}
