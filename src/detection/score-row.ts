/**
 * One row of the forest's features, scored apart from any symbol: the artefact's scaling, its forest, and how rare such a
 * score is by its pooled tail. This is all that the API needs of detection to score.
 */
import type { Artefact } from './artefact.ts';
import { exp } from './math.ts';
import { CRITICAL_LOG_PERIOD, WARNING_LOG_PERIOD } from './surprise/calibration.ts';
import { KIND_INDEX } from './surprise/kinds.ts';
import { rawOf } from './surprise/raw-scores.ts';
import { GRID_FIRST, GRID_LEVELS, GRID_STEP } from './surprise/tail.ts';
import { compress, FEATURES, VECTOR } from './surprise/vector.ts';

export interface RowScore {
  /** Share of seconds whose largest forest score was below this one. */
  readonly score: number;
  readonly return_period_s: number;
  readonly severity: 'none' | 'notice' | 'warning' | 'critical';
  readonly forest: number;
  /** Each column's part in the forest's score, the largest first. */
  readonly contributions: readonly { readonly feature: string; readonly share: number }[];
}

const DAY_S = 86_400;
const kind: number = KIND_INDEX.multivariate;

/** `row` has VECTOR values in the order of FEATURES, not yet compressed: z-scores, order size, nats of flow. */
export function scoreRow({ forest, calibration }: Artefact, row: Float64Array): RowScore {
  const vector = new Float64Array(VECTOR);
  for (let i = 0; i < VECTOR; i++) vector[i] = compress(row[i]!);
  const isolation = forest.scoreOne(vector);
  const { logPeriod, logShare } = calibration.kinds[kind]!;
  const place = Math.min((rawOf(kind, isolation) - GRID_FIRST) / GRID_STEP, GRID_LEVELS - 1);
  const period = place < 0 ? 0 : at(logPeriod, place);
  const severity =
    period >= CRITICAL_LOG_PERIOD
      ? 'critical'
      : period >= WARNING_LOG_PERIOD
        ? 'warning'
        : exp(period) >= DAY_S
          ? 'notice'
          : 'none';
  const contributions = Array.from(forest.attribute(vector), (share, i) => ({ feature: FEATURES[i]!, share }))
    .filter(({ share }) => share > 0)
    .sort((a, b) => b.share - a.share);
  const score = place < 0 ? 0 : 1 - Math.min(1, exp(at(logShare, place)));
  return { score, return_period_s: place < 0 ? 0 : exp(period), severity, forest: isolation, contributions };
}

function at(table: Float64Array, place: number): number {
  const i = Math.min(Math.floor(place), GRID_LEVELS - 2);
  return table[i]! + (table[i + 1]! - table[i]!) * (place - i);
}
