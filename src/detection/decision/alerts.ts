/**
 * The incidents of one symbol and the records they give: what was raised, escalated, joined, closed. At most one incident
 * is open in each lane.
 */
import { type Anomaly, type DetectionSettings, type Kind, SEVERITIES } from '../../market/records.ts';
import { type Artefact, DETECTOR_VERSION } from '../artefact.ts';
import { SCALAR } from '../features/layout.ts';
import { exp, log } from '../math.ts';
import { type CalibratedScores, severityAt } from '../surprise/calibration.ts';
import { MARKET_KINDS } from '../surprise/kinds.ts';
import { INCIDENT_STATE, Incident } from './incident.ts';
import { round, type Story } from './narrate.ts';
import { SymbolRules } from './rules.ts';

/** What decides besides the tape, with the hashes that evidence names. */
export interface Policy {
  readonly artefact: Artefact;
  readonly settings: DetectionSettings;
  readonly settingsId: string;
}

/** Something of the market that is rare enough to be told. */
export interface Raised {
  readonly kind: number;
  readonly raw: number;
  readonly logPeriod: number;
  /** −1, 0 or 1. */
  readonly direction: number;
  readonly forest: number;
  /** Quote volume of the last 60 s, null where the kind has none. */
  readonly notional: number | null;
  readonly firstTradeId: number;
  /** Asked only where a record follows. */
  readonly story: () => Story;
}

interface Told {
  readonly score: number;
  readonly period: number;
  readonly direction: number;
  readonly forest: number;
  readonly story: Story;
}

/** Observed time of a symbol before anything but a data fault is told of it, s. */
export const WARM_UP_S = 3600;
/** A data fault is taken to come once a day until the symbol's own tape says otherwise. */
const FAULT_PERIOD_S = 86_400;
const FAULT_PRIOR = 4;

export const ALERTS_STATE: number = 2 * INCIDENT_STATE;

export class Alerts {
  readonly #symbol: string;
  readonly #emitTo: (anomaly: Anomaly) => void;
  readonly #s: Float64Array;
  readonly #scores: CalibratedScores;
  readonly #market: Incident;
  readonly #data: Incident;
  #policy: Policy;
  #rules: SymbolRules;

  constructor(
    symbol: string,
    policy: Policy,
    emit: (anomaly: Anomaly) => void,
    parts: { readonly scalars: Float64Array; readonly scores: CalibratedScores; readonly state: Float64Array },
  ) {
    this.#symbol = symbol;
    this.#emitTo = emit;
    this.#s = parts.scalars;
    this.#scores = parts.scores;
    this.#market = new Incident('market', parts.state.subarray(0, INCIDENT_STATE));
    this.#data = new Incident('data', parts.state.subarray(INCIDENT_STATE));
    this.#policy = policy;
    this.#rules = new SymbolRules(policy.settings.rules, symbol);
  }

  get policy(): Policy {
    return this.#policy;
  }
  set policy(policy: Policy) {
    this.#policy = policy;
    this.#rules = new SymbolRules(policy.settings.rules, this.#symbol);
  }
  get rules(): SymbolRules {
    return this.#rules;
  }
  get marketIsOpen(): boolean {
    return this.#market.isOpen;
  }

  /** The market is at or above the level at `second`. */
  stayOpen(second: number): void {
    this.#market.lastAbove = second;
  }

  /** Tells what was raised at `second`, by a trade (`anchorSecond` −1) or by the second `anchorSecond` itself. */
  raise(raised: Raised, second: number, anchorSecond: number): void {
    const { kind, raw, logPeriod, direction, forest } = raised;
    const s = this.#s;
    const timestamp = anchorSecond < 0 ? s[SCALAR.eventTime]! : anchorSecond * 1000;
    if (!this.#rules.allows(MARKET_KINDS[kind]!, direction, raised.notional, timestamp / 1000)) return;
    const severity = severityAt(logPeriod);
    const phase = this.#market.raise(kind, severity, raw);
    this.#market.lastAbove = second;
    if (phase === null) return;
    if (phase === 'open') {
      this.#market.anchor(s[SCALAR.lastTradeId]!, anchorSecond, raised.firstTradeId, direction);
      s[SCALAR.opened] = s[SCALAR.opened]! + 1;
    }
    this.#emit(this.#market, MARKET_KINDS[kind]!, phase, severity, timestamp, {
      score: this.#scores.shareBelow(kind, raw),
      period: exp(logPeriod),
      direction,
      forest,
      story: raised.story(),
    });
  }

  /** The data are at fault: trades `firstTradeId` to `lastTradeId` are missing or can't be as they are. */
  fault(summary: string, firstTradeId: number, lastTradeId: number): void {
    const s = this.#s;
    s[SCALAR.faults] = s[SCALAR.faults]! + 1;
    const timestamp = s[SCALAR.eventTime]!;
    const second = Math.floor(timestamp / 1000);
    const period = (s[SCALAR.observed]! + FAULT_PRIOR * FAULT_PERIOD_S) / (s[SCALAR.faults]! - 1 + FAULT_PRIOR);
    const severity = severityAt(log(period));
    this.closeUntil(second);
    if (!this.#rules.allows('data_fault', 0, null, timestamp / 1000)) return;
    const phase = this.#data.raise(0, severity, 0);
    this.#data.lastAbove = second;
    if (phase === null) return;
    if (phase === 'open') this.#data.anchor(lastTradeId, -1, firstTradeId, 0);
    const affected = lastTradeId - firstTradeId + 1;
    const story: Story = {
      zscore: 0,
      actual: { affected_trades: affected },
      expected: { affected_trades: [0, 0] },
      contributions: [{ feature: 'affected_trades', share: 1 }],
      summary,
    };
    this.#emit(this.#data, 'data_fault', phase, severity, timestamp, {
      score: 1 - 1 / period,
      period,
      direction: 0,
      forest: 0,
      story,
    });
  }

  /** Closes what has been quiet for long enough by the end of second `to`, in the order they fall due. */
  closeUntil(to: number): void {
    const first = this.#data.isOpen && this.#data.lastAbove < this.#market.lastAbove ? this.#data : this.#market;
    for (const incident of [first, first === this.#data ? this.#market : this.#data]) {
      const due = this.#closesAt(incident);
      if (due > to) continue;
      incident.close();
      this.#emitClose(incident, due);
    }
  }

  /** The next second at which an incident closes; Infinity while none is open. */
  nextClose(): number {
    return Math.min(this.#closesAt(this.#market), this.#closesAt(this.#data));
  }

  #closesAt(incident: Incident): number {
    return incident.isOpen
      ? incident.lastAbove + Math.ceil(this.#policy.settings.close_after_s)
      : Number.POSITIVE_INFINITY;
  }

  #emitClose(incident: Incident, second: number): void {
    const market = incident === this.#market;
    const kind = incident.topKind;
    const raw = incident.topRaw;
    const logPeriod = market ? this.#scores.logPeriod(kind, raw) : log(FAULT_PERIOD_S);
    const minutes = Math.round(this.#policy.settings.close_after_s / 60);
    this.#emit(incident, market ? MARKET_KINDS[kind]! : 'data_fault', 'close', incident.severity, second * 1000, {
      score: market ? this.#scores.shareBelow(kind, raw) : 1 - 1 / FAULT_PERIOD_S,
      period: exp(logPeriod),
      direction: incident.direction,
      forest: 0,
      story: {
        zscore: 0,
        actual: {},
        expected: {},
        contributions: [],
        summary: `over: ${minutes} minutes below the level`,
      },
    });
  }

  #emit(
    incident: Incident,
    kind: Kind,
    phase: Anomaly['phase'],
    severity: number,
    timestamp: number,
    { score, period, direction, forest, story }: Told,
  ): void {
    const { zscore, actual, expected, contributions, summary } = story;
    this.#emitTo({
      id: incident.nextId(this.#symbol),
      symbol: this.#symbol,
      timestamp,
      kind,
      phase,
      severity: SEVERITIES[severity]!,
      score,
      return_period_s: round(period),
      direction: direction > 0 ? 'up' : direction < 0 ? 'down' : 'none',
      zscore,
      forest: round(forest),
      actual,
      expected,
      contributions,
      summary,
      evidence: {
        firstTradeId: incident.firstTradeId,
        lastTradeId: this.#s[SCALAR.lastTradeId]!,
        model: this.#policy.artefact.id,
        settings: this.#policy.settingsId,
        detector: DETECTOR_VERSION,
      },
    });
  }
}
