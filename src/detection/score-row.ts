/**
 * One row of features judged without a symbol's history: standardised by the artefact's scaling, scored by its forest, as
 * rare as its pooled tail says. Pure, stateless: all that the API needs of detection to score.
 */
import { SEVERITIES, type Severity } from '../market/records.ts';
import type { Artefact } from './artefact.ts';
import type { IsolationForest } from './forest/index.ts';
import { exp, log } from './math.ts';
import { severityAt } from './surprise/calibration.ts';
import { KIND_INDEX } from './surprise/kinds.ts';
import { rawOf } from './surprise/raw-scores.ts';
import { pooledPeriod, pooledShare } from './surprise/tail.ts';
import { compress, FEATURES } from './surprise/vector.ts';

export interface RowScore {
  /** Share of seconds whose forest score is below this one, in [0, 1]. */
  readonly score: number;
  readonly return_period_s: number;
  /** `none` for what comes more than once a day. */
  readonly severity: 'none' | Severity;
  /** The forest's score 2^(−E[h]/c(ψ)), in (0, 1). */
  readonly forest: number;
  /** z-score of each feature, in the order of FEATURES. */
  readonly zscores: readonly number[];
  /** Absent where they were not asked for. */
  readonly contributions?: readonly Contribution[];
}

/** A feature's part in the forest's score, above 0; all of them sum to 1. */
export interface Contribution {
  readonly feature: string;
  readonly share: number;
}

const NOTICE_LOG_PERIOD: number = log(86_400);

/** `row` has a finite number for each of FEATURES, in their order and unit. */
export function scoreRow(artefact: Artefact, row: Float64Array, contributions = true): RowScore {
  const { scaling, forest, calibration } = artefact;
  const zscores = row.map((x, i) => (x - scaling.mean[i]!) / scaling.deviation[i]!);
  const vector = zscores.map(compress);
  const isolation = forest.scoreOne(vector);
  const raw = rawOf(KIND_INDEX.multivariate, isolation);
  const tail = calibration.kinds[KIND_INDEX.multivariate]!;
  const logPeriod = pooledPeriod(tail, raw);
  return {
    score: pooledShare(tail, raw),
    return_period_s: logPeriod === 0 ? 0 : exp(logPeriod),
    severity: logPeriod < NOTICE_LOG_PERIOD ? 'none' : SEVERITIES[severityAt(logPeriod)]!,
    forest: isolation,
    zscores: [...zscores],
    ...(contributions ? { contributions: contributionsOf(forest, vector, FEATURES) } : {}),
  };
}

/** The largest first. */
export function contributionsOf(
  forest: IsolationForest,
  row: Float64Array,
  features: readonly string[],
): Contribution[] {
  return Array.from(forest.attribute(row), (share, f) => ({ feature: features[f]!, share }))
    .filter(({ share }) => share > 0)
    .sort((a, b) => b.share - a.share);
}
