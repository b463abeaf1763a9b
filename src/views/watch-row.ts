/** One line of a watch list: the present, and the recent past in equal steps of time. Pure. */
import type { SymbolView } from './views.ts';

export interface WatchRow {
  readonly symbol: string;
  readonly price: number;
  /** Time of the last bar, ms. */
  readonly timestamp: number;
  readonly score: number;
  readonly level: number;
  readonly halted: boolean;
  /** Price an hour ago, or that of the oldest bar held. */
  readonly reference: number;
  /** Incidents opened in the last hour of event time. */
  readonly alerts: number;
  /** Closing price of each step, oldest first; null before the first bar. */
  readonly closes: readonly (number | null)[];
  /** Greatest oddness of each step; 0 where nothing traded. */
  readonly peaks: readonly number[];
}

export interface Steps {
  readonly count: number;
  readonly length_s: number;
  /** Event time of the present, ms: it lies in the last step. */
  readonly now: number;
}

const HOUR_MS = 3_600_000;
/** Peaks within ten minutes count once, so that nothing is rarer than usual below this return period (log10 s). */
const USUAL_SCORE = Math.log10(600);

/** A level below half an hour would make the usual look odd. */
const LEAST_LEVEL = Math.log10(1800);

/** How near a score comes to the level that opens an incident: 0 is usual, 1 is at the level. */
export function oddness(score: number, level: number): number {
  return Math.max(0, (score - USUAL_SCORE) / (Math.max(level, LEAST_LEVEL) - USUAL_SCORE));
}

export function watchRow(view: SymbolView, steps: Steps, alerts: number): WatchRow {
  const { symbol, price, timestamp, score, level, halted, bars } = view;
  const lengthMs = steps.length_s * 1000;
  const first = Math.floor(steps.now / lengthMs) - steps.count + 1;
  const closes: (number | null)[] = Array.from({ length: steps.count }, () => null);
  const peaks: number[] = Array.from({ length: steps.count }, () => 0);
  let before: number | null = null;
  let reference = 0;
  for (const bar of bars) {
    if (reference === 0 && bar.timestamp >= steps.now - HOUR_MS) reference = bar.open;
    const step = Math.floor(bar.timestamp / lengthMs) - first;
    if (step < 0) before = bar.close;
    else if (step < steps.count) {
      closes[step] = bar.close;
      peaks[step] = Math.max(peaks[step]!, Math.round(oddness(bar.score, bar.level) * 100) / 100);
    }
  }
  for (let step = 0; step < steps.count; step++) before = closes[step] ??= before;
  return { symbol, price, timestamp, score, level, halted, reference: reference || price, alerts, closes, peaks };
}
