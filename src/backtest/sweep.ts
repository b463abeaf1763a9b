/** The same tapes at several budgets: what was asked for, what was given, and with labels what it found. */
import { type Anomaly, laneOf } from '../market/records.ts';
import { grade } from './grade.ts';
import type { Interval } from './intervals.ts';
import type { Labels } from './labels.ts';
import type { Stretch } from './trace.ts';

export interface SweepPoint {
  /** Incidents asked for a symbol-day. */
  readonly budget: number;
  /** Market incidents opened a symbol-day. */
  readonly given: number;
  readonly graded: {
    readonly recall: number;
    readonly recallInterval: Interval;
    readonly falseADay: number;
    readonly falseADayInterval: Interval;
    readonly medianDelay_s: number | null;
  } | null;
}

export function sweepPoint(
  budget: number,
  anomalies: readonly Anomaly[],
  stretches: readonly Stretch[],
  labels: Labels | null,
): SweepPoint {
  const symbolDays = stretches.reduce((sum, { from, to }) => sum + to - from, 0) / 86_400_000;
  const opened = anomalies.filter(({ phase, id }) => phase === 'open' && laneOf(id) === 'market').length;
  const point = { budget, given: opened / symbolDays };
  if (!labels) return { ...point, graded: null };
  const [all] = grade({ anomalies, stretches }, labels).scores;
  const { recall, recallInterval, falseADay, falseADayInterval, delay_s } = all!;
  const medianDelay_s = delay_s?.median ?? null;
  return { ...point, graded: { recall, recallInterval, falseADay, falseADayInterval, medianDelay_s } };
}
