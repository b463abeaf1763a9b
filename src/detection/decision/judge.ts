/**
 * Judges the present trade: the strength of every kind against the hour's levels, and what of it is told. Strengths are
 * compared, not raw scores, so that most trades need no logarithm.
 */
import { SCALAR, SERIES, SERIES_COUNT } from '../features/layout.ts';
import { WINDOW_COUNT } from '../features/windows.ts';
import type { CalibratedScores } from '../surprise/calibration.ts';
import { KIND_INDEX, MARKET_KINDS, NEEDS_TRADES, TRADE_KINDS } from '../surprise/kinds.ts';
import { leadingZ, type Measures, rawOf, strengthAt, strengths } from '../surprise/raw-scores.ts';
import { fillVector, VECTOR } from '../surprise/vector.ts';
import { type Alerts, WARM_UP_S } from './alerts.ts';
import { partsOf } from './evidence-parts.ts';
import { type Story, sentence, tell } from './narrate.ts';

const MULTIVARIATE = KIND_INDEX.multivariate;
/** Doubles of state: the greatest strength of each kind in the present second, and the strength at the last trade. */
export const JUDGE_STATE: number = 2 * TRADE_KINDS;

export interface JudgeParts {
  readonly scalars: Float64Array;
  readonly measures: Measures;
  readonly scores: CalibratedScores;
  readonly alerts: Alerts;
  /** JUDGE_STATE doubles. */
  readonly state: Float64Array;
}

export class Judge {
  /** Greatest strength of each kind in the present second. */
  readonly top: Float64Array;
  readonly #strength: Float64Array;
  readonly #s: Float64Array;
  readonly #measures: Measures;
  readonly #scores: CalibratedScores;
  readonly #alerts: Alerts;
  readonly #vector: Float64Array = new Float64Array(VECTOR);
  /** Strength of each kind at its opening level, derived. */
  readonly #opening: Float64Array = new Float64Array(TRADE_KINDS);
  /** The same at the level that keeps an incident open. */
  readonly #holding: Float64Array = new Float64Array(TRADE_KINDS);

  constructor({ scalars, measures, scores, alerts, state }: JudgeParts) {
    this.#s = scalars;
    this.#measures = measures;
    this.#scores = scores;
    this.#alerts = alerts;
    this.top = state.subarray(0, TRADE_KINDS);
    this.#strength = state.subarray(TRADE_KINDS);
    this.deriveLevels();
  }

  /** Whether what only trades tell has been watched for long enough. */
  get tradesAreWarm(): boolean {
    return this.#s[SCALAR.observedTrades]! >= WARM_UP_S;
  }

  /** The forest's vector as of the present trade; the array is reused. */
  vector(): Float64Array {
    fillVector(this.#measures, this.#vector);
    return this.#vector;
  }

  /** The hour's levels, as strengths. */
  deriveLevels(): void {
    for (let k = 0; k < TRADE_KINDS; k++) {
      this.#opening[k] = strengthAt(k, this.#scores.level(k));
      this.#holding[k] = strengthAt(k, this.#scores.holdLevel(k));
    }
  }

  /** Scores the present trade, or bar of history, of `second`, and raises what reaches its level. */
  score(second: number): void {
    const s = this.#s;
    const strength = this.#strength;
    strengths(this.#measures, s[SCALAR.price]!, s[SCALAR.eventTime]! / 1000, strength);
    strength[MULTIVARIATE] = this.#alerts.policy.artefact.forest.scoreOne(this.vector());
    const { top } = this;
    const bar = this.#alerts.marketIsOpen ? this.#holding : this.#opening;
    let reached = false;
    for (let k = 0; k < TRADE_KINDS; k++) {
      const x = strength[k]!;
      if (x > top[k]!) {
        top[k] = x;
        if (x >= bar[k]!) reached = true;
      }
    }
    const alerting = s[SCALAR.observed]! >= WARM_UP_S && second >= s[SCALAR.wholeFrom]! && s[SCALAR.lastTradeId]! >= 0;
    if (!alerting) return;
    if (reached) this.#raiseReached(second);
    else if (this.#alerts.marketIsOpen) this.#keepOpen(second);
    if (!this.#alerts.rules.isEmpty) this.#raiseByRule(second);
  }

  #keepOpen(second: number): void {
    for (let k = 0; k < TRADE_KINDS; k++)
      if (this.#strength[k]! >= this.#holding[k]! && this.#isWarm(k)) this.#alerts.stayOpen(second);
  }

  #isWarm(kind: number): boolean {
    return !NEEDS_TRADES[kind] || this.tradesAreWarm;
  }

  /** Raises every kind at or above its level, the rarest first; an open incident is joined at the level that holds it. */
  #raiseReached(second: number): void {
    const reached: { kind: number; raw: number; logPeriod: number; opens: boolean }[] = [];
    for (let kind = 0; kind < TRADE_KINDS; kind++) {
      const strength = this.#strength[kind]!;
      if (strength < this.#holding[kind]! || !this.#isWarm(kind)) continue;
      const raw = rawOf(kind, strength);
      reached.push({
        kind,
        raw,
        logPeriod: this.#scores.logPeriod(kind, raw),
        opens: strength >= this.#opening[kind]!,
      });
    }
    reached.sort((a, b) => Number(b.opens) - Number(a.opens) || b.logPeriod - a.logPeriod || a.kind - b.kind);
    for (const { kind, raw, logPeriod, opens } of reached)
      if (opens || this.#alerts.marketIsOpen) this.#raise(kind, raw, logPeriod, second);
  }

  /** Raises the kinds whose z-score a rule of the user names, whatever the budget says. */
  #raiseByRule(second: number): void {
    for (let kind = 0; kind < TRADE_KINDS; kind++) {
      const least = this.#alerts.rules.zscoreOf(MARKET_KINDS[kind]!);
      if (!(leadingZ(kind, this.#measures) >= least) || !this.#isWarm(kind)) continue;
      const raw = rawOf(kind, this.#strength[kind]!);
      this.#raise(kind, raw, this.#scores.logPeriod(kind, raw), second);
    }
  }

  #raise(kind: number, raw: number, logPeriod: number, second: number): void {
    const { windows } = this.#measures;
    const at = (WINDOW_COUNT - 1) * SERIES_COUNT;
    const raised = {
      kind,
      raw,
      logPeriod,
      direction: this.#directionOf(kind),
      forest: this.#strength[MULTIVARIATE]!,
      notional: windows.value[at + SERIES.quote]!,
      // The first trade of the longest window, as ids run.
      firstTradeId: Math.max(0, this.#s[SCALAR.lastTradeId]! - Math.max(0, windows.value[at + SERIES.trades]! - 1)),
      story: () => this.#story(kind, logPeriod),
    };
    this.#alerts.raise(raised, second, -1);
  }

  #directionOf(kind: number): number {
    const { excursion, orders, windows } = this.#measures;
    if (kind === KIND_INDEX.pump) return 1;
    if (kind === KIND_INDEX.dump) return -1;
    if (kind === KIND_INDEX.flash_crash) return excursion.extreme < excursion.before ? -1 : 1;
    if (kind === KIND_INDEX.one_sided_flow) return orders.buyFlow > orders.sellFlow ? 1 : -1;
    const r = windows.value[SERIES_COUNT + SERIES.logReturn]!;
    return r > 0 ? 1 : r < 0 ? -1 : 0;
  }

  #story(kind: number, logPeriod: number): Story {
    const attribution = (): Float64Array => this.#alerts.policy.artefact.forest.attribute(this.#vector);
    const parts = partsOf(kind, this.#measures, attribution);
    return tell(parts, sentence(MARKET_KINDS[kind]!, kind, this.#measures, logPeriod));
  }
}
