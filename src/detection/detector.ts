/**
 * One symbol's detector: records in, anomalies and bars out. Pure: the output is a function of the symbol's records, the
 * settings and the model. A heartbeat only brings forward what the next record would show; nothing is learned from it.
 */
import {
  type Anomaly,
  type Bar,
  type DetectionSettings,
  type Gap,
  type HistoryBar,
  type Kind,
  SEVERITIES,
  type Status,
  type Trade,
} from '../market/records.ts';
import { type Artefact, DETECTOR_VERSION, FEATURES } from './artefact.ts';
import { INCIDENT_STATE, Incident } from './decision/incident.ts';
import { rarity, round, type Story, tell } from './decision/narrate.ts';
import { SCALAR, SCALARS, SERIES, SERIES_COUNT, WINDOWS } from './features/layout.ts';
import { VALUES, WINDOW_STATE, Windows } from './features/windows.ts';
import { exp, LN2, LN10, log } from './math.ts';
import {
  CALIBRATION_STATE,
  CalibratedScores,
  CRITICAL_LOG_PERIOD,
  decayedExposure,
  WARNING_LOG_PERIOD,
} from './surprise/calibration.ts';
import {
  compress,
  contributions,
  KIND_INDEX,
  MARKET_KINDS,
  rawOf,
  silenceDue,
  silenceRaw,
  strengths,
  TRADE_KINDS,
} from './surprise/raw-scores.ts';

/** What decides besides the tape, with the hashes that evidence names. */
export interface Policy {
  readonly artefact: Artefact;
  readonly settings: DetectionSettings;
  readonly settingsId: string;
}

/** Where a detector's output goes. */
export interface Output {
  anomaly(anomaly: Anomaly): void;
  bar(bar: Bar): void;
  /** The forest's vector at the end of a second with trades; the array is reused. Training asks for it. */
  vector?(vector: Float64Array): void;
}

export const STATE_DOUBLES: number = SCALARS + WINDOW_STATE + CALIBRATION_STATE + 2 * INCIDENT_STATE + 2 * TRADE_KINDS;

const HOUR_S = 3600;
const WARM_UP_S = HOUR_S;
const FAST_KEEP = exp(-LN2 / HOUR_S);
const SLOW_KEEP = exp(-LN2 / (48 * HOUR_S));
/** A data fault is taken to come once a day until the symbol's own tape says otherwise. */
const FAULT_PERIOD_S = 86_400;
const FAULT_PRIOR = 4;
const LONGEST_WINDOW_S = WINDOWS[WINDOWS.length - 1]!;

export class SymbolDetector {
  readonly symbol: string;
  readonly #out: Output;
  #policy: Policy;
  readonly #state: Float64Array;
  readonly #s: Float64Array;
  readonly #windows: Windows;
  readonly #scores: CalibratedScores;
  readonly #market: Incident;
  readonly #data: Incident;
  /** Greatest strength of each kind in the present second. */
  readonly #top: Float64Array;
  /** Strength of each kind at the last trade. */
  readonly #strength: Float64Array;
  readonly #vector: Float64Array = new Float64Array(VALUES);
  /** Strength of each kind at its opening level: derived, so that most trades need no logarithm. */
  readonly #opening: Float64Array = new Float64Array(TRADE_KINDS);
  readonly #logReturn: (reference: number) => number;
  /** Second before which a heartbeat shows nothing: derived, 0 where unknown. */
  #nextDue = 0;

  /** `state` (STATE_DOUBLES, kept and changed) is a snapshot's or, without one, a new symbol's. */
  constructor(symbol: string, policy: Policy, out: Output, state: Float64Array = newState()) {
    this.symbol = symbol;
    this.#policy = policy;
    this.#out = out;
    this.#state = state;
    let at = 0;
    const take = (length: number): Float64Array => {
      const part = state.subarray(at, at + length);
      at += length;
      return part;
    };
    this.#s = take(SCALARS);
    this.#windows = new Windows(this.#s, take(WINDOW_STATE));
    this.#scores = new CalibratedScores(take(CALIBRATION_STATE));
    this.#market = new Incident('market', take(INCIDENT_STATE));
    this.#data = new Incident('data', take(INCIDENT_STATE));
    this.#top = take(TRADE_KINDS);
    this.#strength = take(TRADE_KINDS);
    const s = this.#s;
    this.#logReturn = (reference) => log(s[SCALAR.price]! / reference);
    this.#deriveOpening();
  }

  /** The whole state; its bytes are the snapshot. */
  get state(): Float64Array {
    return this.#state;
  }
  get lastTradeId(): number {
    return this.#s[SCALAR.lastTradeId]!;
  }
  get eventTime(): number {
    return this.#s[SCALAR.eventTime]!;
  }
  get lateTrades(): number {
    return this.#s[SCALAR.lateTrades]!;
  }
  get policy(): Policy {
    return this.#policy;
  }

  /** What the tails have counted, for training. */
  get calibration(): CalibratedScores {
    return this.#scores;
  }
  /** Seconds observed, decayed as the counts are. */
  get exposure(): number {
    return this.#s[SCALAR.exposure]!;
  }

  /** Another model or other settings from event time `from` (ms) on: what is due before is told by the old ones. */
  adopt(policy: Policy, from: number): void {
    if (policy.artefact.id === this.#policy.artefact.id && policy.settingsId === this.#policy.settingsId) return;
    const second = Math.floor(from / 1000);
    if (this.#s[SCALAR.second]! >= 0 && second > this.#s[SCALAR.second]!) {
      this.#closeBucket();
      this.#tellDue(second);
    }
    this.#policy = policy;
    if (this.#s[SCALAR.frozenHour]! >= 0) this.#freeze();
    this.#nextDue = 0;
  }

  trade(trade: Trade): void {
    const s = this.#s;
    if (trade.id <= s[SCALAR.lastTradeId]!) return;
    const late = trade.timestamp < s[SCALAR.eventTime]!;
    if (late) s[SCALAR.lateTrades] = s[SCALAR.lateTrades]! + 1;
    else s[SCALAR.eventTime] = trade.timestamp;
    const second = Math.floor(s[SCALAR.eventTime]! / 1000);
    if (s[SCALAR.bucketOpen] === 0 || second > s[SCALAR.second]!) this.#enter(second);
    s[SCALAR.lastTradeId] = trade.id;
    if (trade.price === 0) {
      this.#fault(`trade ${trade.id} has price zero`, trade.id, trade.id);
      return;
    }
    this.#learnTick(trade.price);
    const quote = trade.price * trade.volume;
    this.#addToBar(trade, quote);
    const buy = trade.side === 'buy';
    this.#windows.add(trade.price, quote, buy ? quote : 0, 1, buy ? 1 : 0);
    this.#followOrder(trade, quote);
    this.#windows.measure(this.#logReturn);
    this.#score(second);
  }

  /** A second of history: learned from, never alerted on. */
  bar(bar: HistoryBar): void {
    const s = this.#s;
    if (s[SCALAR.lastTradeId]! >= 0 || bar.timestamp < s[SCALAR.eventTime]! || bar.trades === 0) return;
    s[SCALAR.eventTime] = bar.timestamp;
    const second = Math.floor(bar.timestamp / 1000);
    if (s[SCALAR.bucketOpen] === 0 || second > s[SCALAR.second]!) this.#enter(second);
    const buyShare = bar.volume > 0 ? bar.takerBuyVolume / bar.volume : 0;
    this.#learnTick(bar.close);
    s[SCALAR.price] = bar.close;
    this.#windows.add(
      bar.close,
      bar.quoteVolume,
      bar.quoteVolume * buyShare,
      bar.trades,
      Math.round(bar.trades * buyShare),
    );
    this.#windows.measure(this.#logReturn);
    this.#score(second);
  }

  /** Trades are missing: what is due is told, then the windows start afresh. Nothing is learned of the time between. */
  gap(gap: Gap): void {
    const s = this.#s;
    if (gap.since !== undefined) this.#tellUntil(gap.since);
    if (gap.timestamp > s[SCALAR.eventTime]!) s[SCALAR.eventTime] = gap.timestamp;
    const second = Math.floor(s[SCALAR.eventTime]! / 1000);
    if (second > s[SCALAR.second]!) this.#closeBucket();
    this.#restart(second);
    if (gap.last !== null && gap.last > s[SCALAR.lastTradeId]!) s[SCALAR.lastTradeId] = gap.last;
    if (gap.first === null || gap.last === null) return;
    const missing = gap.last - gap.first + 1;
    this.#fault(
      `${missing} trade${missing === 1 ? '' : 's'} missing: ids ${gap.first} to ${gap.last}`,
      gap.first,
      gap.last,
    );
  }

  status(status: Status): void {
    const s = this.#s;
    if (status.status !== 'halted' && status.status !== 'resumed') return;
    this.#tellUntil(status.timestamp);
    s[SCALAR.halted] = status.status === 'halted' ? 1 : 0;
    this.#restart(Math.floor(s[SCALAR.eventTime]! / 1000));
  }

  /** No trade before `timestamp` (ms) follows: gives what is due until then. */
  heartbeat(timestamp: number): void {
    const s = this.#s;
    if (timestamp <= s[SCALAR.eventTime]! || s[SCALAR.second]! < 0) return;
    s[SCALAR.eventTime] = timestamp;
    const second = Math.floor(timestamp / 1000);
    if (second <= s[SCALAR.second]! || second < this.#nextDue) return;
    this.#closeBucket();
    this.#tellDue(second);
    this.#nextDue = this.#findNextDue();
  }

  /** A heartbeat that leaves nothing for later, as after it the tape is cut. */
  #tellUntil(timestamp: number): void {
    this.#nextDue = 0;
    this.heartbeat(timestamp);
    const second = Math.floor(this.#s[SCALAR.eventTime]! / 1000);
    if (this.#s[SCALAR.second]! >= 0 && second > this.#s[SCALAR.second]!) this.#tellDue(second);
  }

  // ---- seconds

  /** Moves on to `second`, the first with a trade since the last one: all before it is closed, told and learned. */
  #enter(second: number): void {
    const s = this.#s;
    if (s[SCALAR.second]! >= 0) {
      this.#closeBucket();
      this.#tellDue(second);
      const silent = second - s[SCALAR.second]! - 1;
      if (silent > 0 && s[SCALAR.cut] === 0) this.#learnSilence(silent);
    }
    s[SCALAR.cut] = 0;
    this.#nextDue = 0;
    if (s[SCALAR.wholeFrom]! < 0) s[SCALAR.wholeFrom] = second + LONGEST_WINDOW_S;
    this.#freezeFor(second);
    s[SCALAR.second] = second;
    s[SCALAR.told] = second;
    s[SCALAR.bucketOpen] = 1;
    s[SCALAR.silenceTold] = -1;
    s[SCALAR.volume] = 0;
    s[SCALAR.buyVolume] = 0;
    s[SCALAR.quote] = 0;
    s[SCALAR.trades] = 0;
    s[SCALAR.open] = 0;
    this.#top.fill(0);
    this.#windows.openSecond(second);
  }

  #closeBucket(): void {
    const s = this.#s;
    if (s[SCALAR.bucketOpen] === 0) return;
    const second = s[SCALAR.second]!;
    s[SCALAR.bucketOpen] = 0;
    const whole = second >= s[SCALAR.wholeFrom]!;
    let longest = 0;
    if (whole) {
      longest = this.#scores.countSecond(this.#top, second);
      s[SCALAR.exposure] = s[SCALAR.exposure]! + 1;
      if (this.#out.vector) {
        this.#windows.measure(this.#logReturn);
        compress(this.#windows.z, this.#vector);
        this.#out.vector(this.#vector);
      }
    }
    s[SCALAR.observed] = s[SCALAR.observed]! + 1;
    this.#activeSecond();
    if (s[SCALAR.open]! > 0) this.#emitBar(second, longest);
    this.#windows.measure(this.#logReturn);
    this.#windows.closeSecond(second, whole, this.#logReturn);
  }

  #learnSilence(silent: number): void {
    const s = this.#s;
    const second = s[SCALAR.second]!;
    if (second >= s[SCALAR.wholeFrom]!) this.#scores.countSilence(this.#active(), silent, second + silent);
    this.#windows.learnSilence(second, silent, this.#logReturn);
    s[SCALAR.observed] = s[SCALAR.observed]! + silent;
    s[SCALAR.exposure] = s[SCALAR.exposure]! + silent;
    const fastKept = exp((-LN2 * silent) / HOUR_S);
    const slowKept = exp((-LN2 * silent) / (48 * HOUR_S));
    s[SCALAR.activeFast] = s[SCALAR.activeFast]! * fastKept;
    s[SCALAR.activeSlow] = s[SCALAR.activeSlow]! * slowKept;
    s[SCALAR.activeFastWeight] = s[SCALAR.activeFastWeight]! * fastKept + (1 - fastKept) / (1 - FAST_KEEP);
    s[SCALAR.activeSlowWeight] = s[SCALAR.activeSlowWeight]! * slowKept + (1 - slowKept) / (1 - SLOW_KEEP);
  }

  #activeSecond(): void {
    const s = this.#s;
    s[SCALAR.activeFast] = s[SCALAR.activeFast]! * FAST_KEEP + 1;
    s[SCALAR.activeFastWeight] = s[SCALAR.activeFastWeight]! * FAST_KEEP + 1;
    s[SCALAR.activeSlow] = s[SCALAR.activeSlow]! * SLOW_KEEP + 1;
    s[SCALAR.activeSlowWeight] = s[SCALAR.activeSlowWeight]! * SLOW_KEEP + 1;
  }

  /** Share of seconds that have trades: the lesser of the last hour's and the last days', for quiet hours are no alarm. */
  #active(): number {
    const s = this.#s;
    const weight = s[SCALAR.activeSlowWeight]!;
    if (weight === 0) return 0;
    return Math.min(s[SCALAR.activeFast]! / s[SCALAR.activeFastWeight]!, s[SCALAR.activeSlow]! / weight);
  }

  /** The tape was cut at `second`: windows fill anew, and the time until the next trade counts for nothing. */
  #restart(second: number): void {
    const s = this.#s;
    this.#windows.restart();
    s[SCALAR.wholeFrom] = second + LONGEST_WINDOW_S;
    s[SCALAR.cut] = 1;
    s[SCALAR.orderFills] = 0;
    this.#nextDue = 0;
  }

  // ---- levels

  /** Called for every hour in turn, so that heartbeats between two trades change no bit. */
  #freezeFor(second: number): void {
    const hour = Math.floor(second / HOUR_S);
    const s = this.#s;
    if (hour === s[SCALAR.frozenHour]) return;
    if (s[SCALAR.frozenHour]! >= 0) {
      this.#scores.decay(HOUR_S);
      s[SCALAR.exposure] = decayedExposure(s[SCALAR.exposure]!, HOUR_S);
    }
    s[SCALAR.frozenHour] = hour;
    this.#freeze();
  }

  #freeze(): void {
    this.#scores.freeze(this.#policy.artefact.calibration, this.#policy.settings, this.#s[SCALAR.exposure]!);
    this.#deriveOpening();
  }

  #deriveOpening(): void {
    for (let k = 0; k < TRADE_KINDS; k++) {
      const level = this.#scores.level(k);
      const exponent = k === KIND_INDEX.price_jump ? level : 3 * level;
      this.#opening[k] = k === KIND_INDEX.multivariate ? 0.4 + level / 20 : exp(exponent);
    }
  }

  #severityOf(logPeriod: number): number {
    return logPeriod >= CRITICAL_LOG_PERIOD ? 2 : logPeriod >= WARNING_LOG_PERIOD ? 1 : 0;
  }

  // ---- scoring

  #score(second: number): void {
    const s = this.#s;
    const strength = this.#strength;
    strengths(this.#windows.z, strength);
    compress(this.#windows.z, this.#vector);
    strength[KIND_INDEX.multivariate] = this.#policy.artefact.forest.scoreOne(this.#vector);
    const top = this.#top;
    let reached = false;
    for (let k = 0; k < TRADE_KINDS; k++) {
      const x = strength[k]!;
      if (x > top[k]!) {
        top[k] = x;
        if (x >= this.#opening[k]!) reached = true;
      }
    }
    const alerting = s[SCALAR.observed]! >= WARM_UP_S && second >= s[SCALAR.wholeFrom]! && s[SCALAR.lastTradeId]! >= 0;
    if (reached && alerting) this.#raiseReached(second);
    else if (this.#market.isOpen) this.#keepOpen(second);
  }

  #keepOpen(second: number): void {
    for (let k = 0; k < TRADE_KINDS; k++) if (this.#strength[k]! >= this.#opening[k]!) this.#market.lastAbove = second;
  }

  /** Raises every kind at or above its level, the rarest first. */
  #raiseReached(second: number): void {
    const reached: { kind: number; raw: number; logPeriod: number }[] = [];
    for (let kind = 0; kind < TRADE_KINDS; kind++) {
      const raw = rawOf(kind, this.#strength[kind]!);
      if (raw < this.#scores.level(kind)) continue;
      reached.push({ kind, raw, logPeriod: this.#scores.logPeriod(kind, raw) });
    }
    reached.sort((a, b) => b.logPeriod - a.logPeriod || a.kind - b.kind);
    for (const { kind, raw, logPeriod } of reached) this.#raise(kind, raw, logPeriod, second, -1);
  }

  #raise(kind: number, raw: number, logPeriod: number, second: number, anchorSecond: number): void {
    const phase = this.#market.raise(kind, this.#severityOf(logPeriod), raw);
    this.#market.lastAbove = second;
    if (phase === null) return;
    const s = this.#s;
    const direction = this.#directionOf(kind);
    if (phase === 'open') this.#market.anchor(s[SCALAR.lastTradeId]!, anchorSecond, this.#firstTradeId(), direction);
    const timestamp = anchorSecond < 0 ? s[SCALAR.eventTime]! : anchorSecond * 1000;
    const story =
      kind === KIND_INDEX.silence ? this.#silenceStory(anchorSecond, logPeriod) : this.#story(kind, logPeriod);
    this.#emit(this.#market, MARKET_KINDS[kind]!, phase, this.#severityOf(logPeriod), timestamp, {
      score: this.#scores.shareBelow(kind, raw),
      period: exp(logPeriod),
      direction,
      story,
    });
  }

  #directionOf(kind: number): number {
    if (kind === KIND_INDEX.silence) return 0;
    const r = this.#windows.value[SERIES_COUNT + SERIES.logReturn]!;
    return r > 0 ? 1 : r < 0 ? -1 : 0;
  }

  /** The first trade of the longest window, as ids run: the window's trades before the last one. */
  #firstTradeId(): number {
    const trades = this.#windows.value[(WINDOWS.length - 1) * SERIES_COUNT + SERIES.trades]!;
    return Math.max(0, this.#s[SCALAR.lastTradeId]! - Math.max(0, trades - 1));
  }

  #story(kind: number, logPeriod: number): Story {
    const { value, mean, variance, z } = this.#windows;
    const parts =
      kind === KIND_INDEX.multivariate
        ? [...this.#policy.artefact.forest.attribute(this.#vector)]
            .map((share, i) => ({ value: i, share }))
            .sort((a, b) => b.share - a.share || a.value - b.value)
        : contributions(kind, z);
    return tell({ kind: MARKET_KINDS[kind]!, parts, names: FEATURES, value, mean, variance, z, logPeriod });
  }

  // ---- what is due while nothing trades

  /** Tells silences and closes that fall before or at `until`, hour by hour, since levels are fixed by the hour. */
  #tellDue(until: number): void {
    const s = this.#s;
    while (s[SCALAR.told]! < until) {
      const next = s[SCALAR.told]! + 1;
      this.#freezeFor(next);
      const hourEnd = (Math.floor(next / HOUR_S) + 1) * HOUR_S;
      const to = Math.min(until, hourEnd - 1);
      this.#tellSilence(to);
      this.#closeIncidents(to);
      s[SCALAR.told] = to;
    }
  }

  #findNextDue(): number {
    const s = this.#s;
    let due = (Math.floor(s[SCALAR.told]! / HOUR_S) + 1) * HOUR_S;
    const after = Math.ceil(this.#policy.settings.close_after_s);
    for (const incident of [this.#market, this.#data]) {
      if (incident.isOpen) due = Math.min(due, incident.lastAbove + after);
    }
    const tiers = this.#silenceTiers();
    const tier = s[SCALAR.silenceTold]! + 1;
    if (tier < tiers.length) due = Math.min(due, this.#silenceReaches(tiers[tier]!));
    return due;
  }

  #silenceTiers(): readonly number[] {
    const opening = this.#scores.openLogPeriod;
    return [opening, Math.max(opening, WARNING_LOG_PERIOD), Math.max(opening, CRITICAL_LOG_PERIOD)];
  }

  /** The second at which the present silence is as rare as `logPeriod`. */
  #silenceReaches(logPeriod: number): number {
    return this.#s[SCALAR.second]! + silenceDue(this.#active(), this.#scores.rawAt(KIND_INDEX.silence, logPeriod));
  }

  #tellSilence(to: number): void {
    const s = this.#s;
    const since = s[SCALAR.second]!;
    if (s[SCALAR.observed]! < WARM_UP_S || s[SCALAR.cut] === 1 || since < s[SCALAR.wholeFrom]!) return;
    // History is learned from, never alerted on.
    if (s[SCALAR.lastTradeId]! < 0) return;
    const active = this.#active();
    const kind = KIND_INDEX.silence;
    const tiers = this.#silenceTiers();
    for (let tier = s[SCALAR.silenceTold]! + 1; tier < tiers.length; tier++) {
      const second = Math.max(s[SCALAR.told]! + 1, this.#silenceReaches(tiers[tier]!));
      if (!(second <= to)) break;
      if (tier > 0) this.#market.lastAbove = second;
      this.#closeIncidents(second);
      s[SCALAR.silenceTold] = tier;
      const reached = silenceRaw(active, second - since);
      this.#raise(kind, reached, this.#scores.logPeriod(kind, reached), second, second);
    }
    if (s[SCALAR.silenceTold]! >= 0) this.#market.lastAbove = to;
  }

  #closeIncidents(to: number): void {
    const after = Math.ceil(this.#policy.settings.close_after_s);
    const first = this.#data.isOpen && this.#data.lastAbove < this.#market.lastAbove ? this.#data : this.#market;
    for (const incident of [first, first === this.#data ? this.#market : this.#data]) {
      const due = incident.lastAbove + after;
      if (!incident.isOpen || due > to) continue;
      incident.close();
      this.#emitClose(incident, due);
    }
  }

  #silenceStory(second: number, logPeriod: number): Story {
    const waited = second - this.#s[SCALAR.second]!;
    const active = this.#active();
    const usual = active > 0 ? 1 / active : 0;
    return {
      zscore: round(waited * active),
      actual: { waiting_s: waited },
      expected: { waiting_s: [0, round(3 * usual)] },
      contributions: [{ feature: 'waiting_s', share: 1 }],
      summary: `no trade for ${waited} s, where one usually comes every ${Number(usual.toPrecision(2))} s; ${rarity(logPeriod)}`,
    };
  }

  // ---- records out

  #fault(what: string, firstTradeId: number, lastTradeId: number): void {
    const s = this.#s;
    s[SCALAR.faults] = s[SCALAR.faults]! + 1;
    const second = Math.floor(s[SCALAR.eventTime]! / 1000);
    const period = (s[SCALAR.observed]! + FAULT_PRIOR * FAULT_PERIOD_S) / (s[SCALAR.faults]! - 1 + FAULT_PRIOR);
    const severity = this.#severityOf(log(period));
    this.#closeIncidents(second);
    const phase = this.#data.raise(0, severity, 0);
    this.#data.lastAbove = second;
    if (phase === null) return;
    if (phase === 'open') this.#data.anchor(lastTradeId, -1, firstTradeId, 0);
    const missing = lastTradeId - firstTradeId + 1;
    this.#emit(this.#data, 'data_fault', phase, severity, s[SCALAR.eventTime]!, {
      score: 1 - 1 / period,
      period,
      direction: 0,
      story: {
        zscore: 0,
        actual: { affected_trades: missing },
        expected: { affected_trades: [0, 0] },
        contributions: [{ feature: 'affected_trades', share: 1 }],
        summary: what,
      },
    });
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
    told: { score: number; period: number; direction: number; story: Story },
  ): void {
    const { zscore, actual, expected, contributions: parts, summary } = told.story;
    this.#out.anomaly({
      id: incident.nextId(this.symbol),
      symbol: this.symbol,
      timestamp,
      kind,
      phase,
      severity: SEVERITIES[severity]!,
      score: told.score,
      return_period_s: round(told.period),
      direction: told.direction > 0 ? 'up' : told.direction < 0 ? 'down' : 'none',
      zscore,
      forest: round(this.#strength[KIND_INDEX.multivariate]!),
      actual,
      expected,
      contributions: parts,
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

  #emitBar(second: number, longest: number): void {
    const s = this.#s;
    this.#out.bar({
      symbol: this.symbol,
      timestamp: second * 1000,
      open: s[SCALAR.open]!,
      high: s[SCALAR.high]!,
      low: s[SCALAR.low]!,
      close: s[SCALAR.price]!,
      volume: s[SCALAR.volume]!,
      quoteVolume: s[SCALAR.quote]!,
      trades: s[SCALAR.trades]!,
      takerBuyVolume: s[SCALAR.buyVolume]!,
      score: round(longest / LN10),
      level: round(this.#scores.openLogPeriod / LN10),
    });
  }

  // ---- small steps of a trade

  #learnTick(price: number): void {
    const s = this.#s;
    const before = s[SCALAR.price]!;
    s[SCALAR.price] = price;
    if (before === 0 || before === price) return;
    const step = Math.round(Math.abs(price - before) * 1e8) / 1e8;
    if (step > 0 && (s[SCALAR.tick] === 0 || step < s[SCALAR.tick]!)) s[SCALAR.tick] = step;
  }

  #addToBar({ price, volume, side }: Trade, quote: number): void {
    const s = this.#s;
    s[SCALAR.trades] = s[SCALAR.trades]! + 1;
    s[SCALAR.quote] = s[SCALAR.quote]! + quote;
    if (s[SCALAR.open] === 0) {
      s[SCALAR.open] = price;
      s[SCALAR.high] = price;
      s[SCALAR.low] = price;
    } else if (price > s[SCALAR.high]!) s[SCALAR.high] = price;
    else if (price < s[SCALAR.low]!) s[SCALAR.low] = price;
    s[SCALAR.volume] = s[SCALAR.volume]! + volume;
    if (side === 'buy') s[SCALAR.buyVolume] = s[SCALAR.buyVolume]! + volume;
  }

  /** Fills of one taker order share time and side. */
  #followOrder(trade: Trade, quote: number): void {
    const s = this.#s;
    const side = trade.side === 'buy' ? 1 : -1;
    const same = s[SCALAR.orderTime] === trade.timestamp && s[SCALAR.orderSide] === side && s[SCALAR.orderFills]! > 0;
    s[SCALAR.orderTime] = trade.timestamp;
    s[SCALAR.orderSide] = side;
    s[SCALAR.orderFills] = same ? s[SCALAR.orderFills]! + 1 : 1;
    s[SCALAR.orderQuote] = same ? s[SCALAR.orderQuote]! + quote : quote;
    this.#windows.addOrder(same ? (s[SCALAR.orderFills] === 2 ? 2 : 1) : 0, s[SCALAR.orderQuote]!);
  }
}

export function newState(): Float64Array {
  const state = new Float64Array(STATE_DOUBLES);
  for (const i of [SCALAR.lastTradeId, SCALAR.second, SCALAR.wholeFrom, SCALAR.frozenHour, SCALAR.silenceTold])
    state[i] = -1;
  return state;
}
