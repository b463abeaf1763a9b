/** The step of a backtest: records in; for each policy its anomalies, and of the first one bars and traces out. */
import type { Output, Policy } from '../detection/detector.ts';
import type { Anomaly, Bar, TapeRecord } from '../market/records.ts';
import { type Resolve, TapeDetector } from '../pipeline/tape-detector.ts';
import { type Stretch, Tracer } from './trace.ts';

export interface StepOptions {
  /** Each runs over the same records; the first is the one whose bars and traces are kept. */
  readonly policies: readonly Policy[];
  readonly resolve?: Resolve;
  readonly onBar?: (bar: Bar) => void;
  /** What traces keep: nothing, the time observed, or prices and close-ups for pictures too. */
  readonly trace: 'none' | 'time' | 'pictures';
}

export interface StepResult {
  /** One list a policy, each symbol's records in their order. */
  readonly anomalies: readonly (readonly Anomaly[])[];
  readonly stretches: readonly Stretch[];
  readonly trades: number;
  readonly symbols: number;
  readonly lateTrades: number;
}

/** One tape, or the symbols of it that one thread was given. */
export class Step {
  readonly #detectors: readonly TapeDetector[];
  readonly #anomalies: readonly Anomaly[][];
  readonly #tracer: Tracer | null;

  constructor({ policies, resolve, onBar, trace }: StepOptions) {
    const tracer = trace === 'none' ? null : new Tracer(trace === 'pictures');
    this.#tracer = tracer;
    this.#anomalies = policies.map(() => []);
    this.#detectors = policies.map((policy, i) => {
      const anomalies = this.#anomalies[i]!;
      const traced = i === 0 ? tracer : null;
      const output = {
        anomaly: (anomaly: Anomaly): void => {
          anomalies.push(anomaly);
          traced?.anomaly(anomaly);
        },
        ...(i === 0 ? barSink(traced, onBar) : {}),
      };
      return new TapeDetector({ policy, output, ...(resolve ? { resolve } : {}) });
    });
  }

  push(record: TapeRecord): void {
    for (const detector of this.#detectors) detector.push(record);
    if (this.#tracer && 'type' in record && record.type === 'gap' && record.reason === 'pause') {
      const superseded = record.epoch !== undefined && record.epoch < this.#detectors[0]!.partitionState.epoch;
      if (!superseded) this.#tracer.pause(record.symbol);
    }
  }

  result(): StepResult {
    const [first] = this.#detectors;
    const detectors = [...first!.detectors.values()];
    return {
      anomalies: this.#anomalies,
      stretches: this.#tracer?.stretches() ?? [],
      trades: first!.trades,
      symbols: detectors.length,
      lateTrades: detectors.reduce((sum, { lateTrades }) => sum + lateTrades, 0),
    };
  }
}

function barSink(tracer: Tracer | null, onBar: ((bar: Bar) => void) | undefined): Pick<Output, 'bar'> {
  if (tracer && onBar) {
    const bar = (bar: Bar): void => {
      tracer.bar(bar);
      onBar(bar);
    };
    return { bar };
  }
  if (tracer) return { bar: (bar) => tracer.bar(bar) };
  return onBar ? { bar: onBar } : {};
}
