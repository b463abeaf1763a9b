/** How long nothing has traded, and when that is rare enough to be told: once at the opening level, then at each severity. */
import type { Activity } from '../features/activity.ts';
import { SCALAR } from '../features/layout.ts';
import { type CalibratedScores, CRITICAL_LOG_PERIOD, WARNING_LOG_PERIOD } from '../surprise/calibration.ts';
import { KIND_INDEX } from '../surprise/kinds.ts';
import { silenceDue, silenceRaw } from '../surprise/raw-scores.ts';
import { type Alerts, WARM_UP_S } from './alerts.ts';
import { rarity, type Story, tell } from './narrate.ts';

const SILENCE = KIND_INDEX.silence;

export interface SilenceParts {
  readonly scalars: Float64Array;
  readonly activity: Activity;
  readonly scores: CalibratedScores;
  readonly alerts: Alerts;
}

export class Silence {
  readonly #s: Float64Array;
  readonly #activity: Activity;
  readonly #scores: CalibratedScores;
  readonly #alerts: Alerts;

  constructor({ scalars, activity, scores, alerts }: SilenceParts) {
    this.#s = scalars;
    this.#activity = activity;
    this.#scores = scores;
    this.#alerts = alerts;
  }

  /** The next second at which the present silence has more to tell, Infinity where it has no more. */
  nextDue(): number {
    const tiers = this.#tiers();
    const tier = this.#s[SCALAR.silenceTold]! + 1;
    return tier < tiers.length ? this.#reaches(tiers[tier]!) : Number.POSITIVE_INFINITY;
  }

  /** Tells what falls after second `told` and by second `to`, both within one hour of levels. */
  tellUntil(to: number): void {
    const s = this.#s;
    if (s[SCALAR.observed]! < WARM_UP_S || s[SCALAR.cut] === 1 || s[SCALAR.second]! < s[SCALAR.wholeFrom]!) return;
    // History is learned from, never alerted on.
    if (s[SCALAR.lastTradeId]! < 0) return;
    const tiers = this.#tiers();
    for (let tier = s[SCALAR.silenceTold]! + 1; tier < tiers.length; tier++) {
      const second = Math.max(s[SCALAR.told]! + 1, this.#reaches(tiers[tier]!));
      if (!(second <= to)) break;
      if (tier > 0) this.#alerts.stayOpen(second);
      this.#alerts.closeUntil(second);
      s[SCALAR.silenceTold] = tier;
      this.#raise(second);
    }
    if (s[SCALAR.silenceTold]! >= 0) this.#alerts.stayOpen(to);
  }

  /** ln of the return periods at which it is told. */
  #tiers(): readonly number[] {
    const opening = this.#scores.openLogPeriod;
    return [opening, Math.max(opening, WARNING_LOG_PERIOD), Math.max(opening, CRITICAL_LOG_PERIOD)];
  }

  /** The second at which the present silence is as rare as `logPeriod`. */
  #reaches(logPeriod: number): number {
    return this.#s[SCALAR.second]! + silenceDue(this.#activity.share, this.#scores.silenceAt(logPeriod));
  }

  #raise(second: number): void {
    const s = this.#s;
    const raw = silenceRaw(this.#activity.share, second - s[SCALAR.second]!);
    const logPeriod = this.#scores.logPeriod(SILENCE, raw);
    const raised = {
      kind: SILENCE,
      raw,
      logPeriod,
      direction: 0,
      forest: 0,
      notional: null,
      firstTradeId: s[SCALAR.lastTradeId]!,
      story: () => this.#story(second, logPeriod),
    };
    this.#alerts.raise(raised, second, second);
  }

  #story(second: number, logPeriod: number): Story {
    const active = this.#activity.share;
    const waited = second - this.#s[SCALAR.second]!;
    const usual = active > 0 ? 1 / active : 0;
    const part = {
      feature: 'waiting_s',
      actual: waited,
      expected: [0, 3 * usual],
      z: waited * active,
      size: 1,
    } as const;
    const every = Number(usual.toPrecision(2));
    return tell([part], `no trade for ${waited} s, where one usually comes every ${every} s; ${rarity(logPeriod)}`);
  }
}
