/**
 * One symbol's detector: records in, anomalies and bars out. Pure: the output is a function of the symbol's records, the
 * settings and the model. A heartbeat only brings forward what the next record would show; nothing is learned from it.
 */
import type { Anomaly, Bar, Feedback, Gap, HistoryBar, Status, Trade } from '../market/records.ts';
import { ALERTS_STATE, Alerts, type Policy } from './decision/alerts.ts';
import { JUDGE_STATE, Judge } from './decision/judge.ts';
import { round } from './decision/narrate.ts';
import { Silence } from './decision/silence.ts';
import { ACTIVITY_STATE, Activity } from './features/activity.ts';
import { EXCURSION_STATE, Excursion } from './features/excursion.ts';
import { HOUR_TOPS_STATE, HourTops } from './features/hour-tops.ts';
import { SCALAR, SCALARS, WINDOWS } from './features/layout.ts';
import { ORDER_STATE, Orders } from './features/orders.ts';
import { BAR_STATE, SecondBar } from './features/second-bar.ts';
import { ORDERS_SETTLE_S, WINDOW_STATE, Windows } from './features/windows.ts';
import { LN10 } from './math.ts';
import { CALIBRATION_STATE, CalibratedScores, decayOver } from './surprise/calibration.ts';
import { KIND_INDEX, type MarketKind } from './surprise/kinds.ts';
import type { Measures } from './surprise/raw-scores.ts';

export type { Policy } from './decision/alerts.ts';

/** Where a detector's output goes. */
export interface Output {
  anomaly(anomaly: Anomaly): void;
  /** Without it no bar is made, which costs less. */
  readonly bar?: (bar: Bar) => void;
  /** The forest's vector at the end of a second with trades; the array is reused. Training asks for it. */
  vector?(vector: Float64Array): void;
}

export const STATE_DOUBLES: number =
  SCALARS +
  ACTIVITY_STATE +
  BAR_STATE +
  WINDOW_STATE +
  ORDER_STATE +
  EXCURSION_STATE +
  HOUR_TOPS_STATE +
  CALIBRATION_STATE +
  ALERTS_STATE +
  JUDGE_STATE;

const HOUR_S = 3600;
const LONGEST_WINDOW_S = WINDOWS[WINDOWS.length - 1]!;
/** A trade stamped this much before event time is the data's fault, not the market's, ms. */
const OUT_OF_TIME_MS = 2000;

export class SymbolDetector {
  readonly symbol: string;
  readonly #out: Output;
  readonly #state: Float64Array;
  readonly #s: Float64Array;
  readonly #activity: Activity;
  readonly #bar: SecondBar;
  readonly #measures: Measures;
  readonly #windows: Windows;
  readonly #orders: Orders;
  readonly #scores: CalibratedScores;
  readonly #alerts: Alerts;
  readonly #judge: Judge;
  readonly #silence: Silence;
  /** Second before which a heartbeat shows nothing: derived, 0 where unknown. */
  #nextDue = 0;

  /** `state` (STATE_DOUBLES, kept and changed) is a snapshot's or, without one, a new symbol's. */
  constructor(symbol: string, policy: Policy, out: Output, state: Float64Array = newState()) {
    this.symbol = symbol;
    this.#out = out;
    this.#state = state;
    let at = 0;
    const take = (length: number): Float64Array => {
      const part = state.subarray(at, at + length);
      at += length;
      return part;
    };
    const s = take(SCALARS);
    this.#s = s;
    this.#activity = new Activity(take(ACTIVITY_STATE));
    this.#bar = new SecondBar(take(BAR_STATE));
    this.#windows = new Windows(s, take(WINDOW_STATE));
    this.#orders = new Orders(take(ORDER_STATE));
    const excursion = new Excursion(take(EXCURSION_STATE));
    this.#measures = {
      windows: this.#windows,
      orders: this.#orders,
      excursion,
      tops: new HourTops(take(HOUR_TOPS_STATE)),
    };
    this.#scores = new CalibratedScores(take(CALIBRATION_STATE));
    const parts = { scalars: s, scores: this.#scores, state: take(ALERTS_STATE) };
    this.#alerts = new Alerts(symbol, policy, (anomaly) => out.anomaly(anomaly), parts);
    const shared = { scalars: s, scores: this.#scores, alerts: this.#alerts };
    this.#judge = new Judge({ ...shared, measures: this.#measures, state: take(JUDGE_STATE) });
    this.#silence = new Silence({ ...shared, activity: this.#activity });
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
    return this.#alerts.policy;
  }

  /** What the tails have counted, for training. */
  get calibration(): CalibratedScores {
    return this.#scores;
  }
  /** The features' baselines, for training and for pictures. */
  get windows(): Windows {
    return this.#windows;
  }
  /** Seconds observed, decayed as the counts are. */
  get exposure(): number {
    return this.#s[SCALAR.exposure]!;
  }

  // ---- records in

  /** Another model or other settings from event time `from` (ms) on: what is due before is told by the old ones. */
  adopt(policy: Policy, from: number): void {
    if (policy.artefact.id === this.policy.artefact.id && policy.settingsId === this.policy.settingsId) return;
    const second = Math.floor(from / 1000);
    if (this.#s[SCALAR.second]! >= 0 && second > this.#s[SCALAR.second]!) {
      this.#closeBucket();
      this.#tellDue(second);
    }
    this.#alerts.policy = policy;
    if (this.#s[SCALAR.frozenHour]! >= 0) this.#freeze();
    this.#nextDue = 0;
  }

  trade(trade: Trade): void {
    const s = this.#s;
    if (trade.id <= s[SCALAR.lastTradeId]!) return;
    const early_ms = s[SCALAR.eventTime]! - trade.timestamp;
    if (early_ms > 0) s[SCALAR.lateTrades] = s[SCALAR.lateTrades]! + 1;
    else s[SCALAR.eventTime] = trade.timestamp;
    const second = Math.floor(s[SCALAR.eventTime]! / 1000);
    if (early_ms > OUT_OF_TIME_MS) this.#outOfTime(trade, early_ms, second);
    if (s[SCALAR.bucketOpen] === 0 || second > s[SCALAR.second]!) this.#enter(second);
    if (s[SCALAR.lastTradeId]! < 0) s[SCALAR.ordersFrom] = second + ORDERS_SETTLE_S;
    s[SCALAR.lastTradeId] = trade.id;
    if (trade.price === 0) {
      this.#windows.measure();
      this.#alerts.fault(`trade ${trade.id} has price zero`, trade.id, trade.id);
      return;
    }
    this.#learnTick(trade.price);
    const quote = trade.price * trade.volume;
    this.#bar.add(trade, quote);
    this.#windows.add(trade.price, quote, 1, trade.side === 'buy' ? 1 : 0);
    const orders = this.#orders;
    orders.push(trade, quote, s[SCALAR.tick]!);
    this.#windows.addOrder(orders);
    this.#windows.measure();
    this.#judge.score(second);
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
    this.#windows.add(bar.close, bar.quoteVolume, bar.trades, Math.round(bar.trades * buyShare));
    this.#windows.measure();
    this.#judge.score(second);
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
    const ids = missing === 1 ? `id ${gap.first}` : `ids ${gap.first} to ${gap.last}`;
    this.#alerts.fault(`${missing} trade${missing === 1 ? '' : 's'} missing: ${ids}`, gap.first, gap.last);
  }

  status(status: Status): void {
    const s = this.#s;
    if (status.status !== 'halted' && status.status !== 'resumed') return;
    this.#tellUntil(status.timestamp);
    this.#restart(Math.floor(s[SCALAR.eventTime]! / 1000));
  }

  /** "Not interesting" makes that kind of this symbol rarer, "interesting" takes that back; from the next hour on. */
  feedback({ kind, verdict }: Feedback): void {
    const k = KIND_INDEX[kind as MarketKind] ?? -1;
    if (k >= 0) this.#scores.judge(k, verdict === 'interesting');
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

  /** A clock went back: seconds of trades would pile up in one, so the windows start afresh and nothing is scored. */
  #outOfTime(trade: Trade, early_ms: number, second: number): void {
    this.#windows.restart();
    this.#orders.restart();
    this.#s[SCALAR.wholeFrom] = second + LONGEST_WINDOW_S;
    const seconds = Math.round(early_ms / 1000);
    this.#alerts.fault(`trade ${trade.id} is stamped ${seconds} s before the one before it`, trade.id, trade.id);
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
    this.#bar.begin();
    this.#judge.top.fill(0);
    this.#windows.openSecond(second);
    if (s[SCALAR.lastTradeId]! >= 0) this.#measures.tops.enter(second);
  }

  #closeBucket(): void {
    const s = this.#s;
    if (s[SCALAR.bucketOpen] === 0) return;
    const second = s[SCALAR.second]!;
    s[SCALAR.bucketOpen] = 0;
    const whole = second >= s[SCALAR.wholeFrom]!;
    let rarest = 0;
    if (whole) {
      rarest = this.#scores.countSecond(this.#judge.top, second, this.#judge.tradesAreWarm);
      s[SCALAR.exposure] = s[SCALAR.exposure]! + 1;
      this.#out.vector?.(this.#judge.vector());
    }
    this.#observe(1);
    this.#activity.trade();
    if (this.#bar.isOpen && this.#out.bar) this.#emitBar(this.#out.bar, second, rarest);
    this.#windows.closeSecond(second, whole);
  }

  #learnSilence(silent: number): void {
    const s = this.#s;
    const second = s[SCALAR.second]!;
    if (second >= s[SCALAR.wholeFrom]!) this.#scores.countSilence(this.#activity.share, silent, second + silent);
    this.#windows.learnSilence(second, silent);
    this.#observe(silent);
    s[SCALAR.exposure] = s[SCALAR.exposure]! + silent;
    this.#activity.silence(silent);
  }

  #observe(seconds: number): void {
    const s = this.#s;
    s[SCALAR.observed] = s[SCALAR.observed]! + seconds;
    if (s[SCALAR.lastTradeId]! >= 0) s[SCALAR.observedTrades] = s[SCALAR.observedTrades]! + seconds;
  }

  /** The tape was cut at `second`: windows fill anew, and the time until the next trade counts for nothing. */
  #restart(second: number): void {
    const s = this.#s;
    this.#windows.restart();
    this.#orders.restart();
    this.#measures.excursion.restart();
    s[SCALAR.wholeFrom] = second + LONGEST_WINDOW_S;
    s[SCALAR.cut] = 1;
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
      s[SCALAR.exposure] = s[SCALAR.exposure]! * decayOver(HOUR_S);
      s[SCALAR.opened] = s[SCALAR.opened]! * decayOver(HOUR_S);
    }
    s[SCALAR.frozenHour] = hour;
    this.#freeze();
  }

  #freeze(): void {
    const { artefact, settings } = this.policy;
    this.#scores.freeze(artefact.calibration, settings, this.#s[SCALAR.exposure]!, this.#s[SCALAR.opened]!);
    this.#judge.deriveLevels();
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
      this.#silence.tellUntil(to);
      this.#alerts.closeUntil(to);
      s[SCALAR.told] = to;
    }
  }

  #findNextDue(): number {
    const nextHour = (Math.floor(this.#s[SCALAR.told]! / HOUR_S) + 1) * HOUR_S;
    return Math.min(nextHour, this.#alerts.nextClose(), this.#silence.nextDue());
  }

  // ---- small steps of a trade

  #emitBar(emit: NonNullable<Output['bar']>, second: number, rarest: number): void {
    const level = round(this.#scores.openLogPeriod / LN10);
    emit(this.#bar.toBar(this.symbol, second, round(rarest / LN10), level));
  }

  #learnTick(price: number): void {
    const s = this.#s;
    const before = s[SCALAR.price]!;
    s[SCALAR.price] = price;
    if (before === 0 || before === price) return;
    const step = Math.round(Math.abs(price - before) * 1e8) / 1e8;
    if (step > 0 && (s[SCALAR.tick] === 0 || step < s[SCALAR.tick]!)) s[SCALAR.tick] = step;
  }
}

export function newState(): Float64Array {
  const state = new Float64Array(STATE_DOUBLES);
  const none = ['lastTradeId', 'second', 'wholeFrom', 'ordersFrom', 'frozenHour', 'silenceTold'] as const;
  for (const scalar of none) state[SCALAR[scalar]] = -1;
  return state;
}
