/** Anomalies held against known events: which were found, how late, and how many alerts were false. */
import { type Anomaly, type Kind, SEVERITIES, type Severity } from '../market/records.ts';
import { type Interval, rateInterval, shareInterval } from './intervals.ts';
import type { Event, Labels, Protocol } from './labels.ts';
import type { Stretch } from './trace.ts';

export interface Grade {
  readonly events: number;
  /** Events before, between or after what the tapes hold, in the warm-up, or of other symbols. */
  readonly eventsOutside: number;
  /** Time observed, warm-up and all. */
  readonly symbolDays: number;
  readonly protocol: Protocol;
  /** All alerts first, then fewer and fewer of them. */
  readonly scores: readonly Score[];
  /** By what the labels tell of kind and size, for all alerts. */
  readonly groups: readonly Group[];
  /** What became of each event, by start. */
  readonly outcomes: readonly Outcome[];
}

/** How one choice of alerts does. */
export interface Score {
  readonly alerts: string;
  readonly found: number;
  readonly recall: number;
  readonly recallInterval: Interval;
  /** Of the events found; null for none. */
  readonly delay_s: { readonly median: number; readonly p90: number } | null;
  readonly falseAlerts: number;
  readonly falseADay: number;
  readonly falseADayInterval: Interval;
  readonly windows: readonly {
    readonly within_s: number;
    readonly hits: number;
    readonly precision: number;
    readonly recall: number;
    readonly f1: number;
  }[];
}

export interface Group {
  readonly kind: string;
  readonly size: number | null;
  readonly events: number;
  readonly found: number;
  readonly recallInterval: Interval;
  /** Events of which an alert in time had the label's kind. */
  readonly named: number;
  readonly medianDelay_s: number | null;
}

export interface Outcome {
  readonly event: Event;
  /** Id of the first alert in time, with its delay; null where the event was missed. */
  readonly alert: string | null;
  readonly delay_s: number | null;
  /** Kinds alerted on in time. */
  readonly kinds: readonly Kind[];
}

export interface Graded {
  readonly anomalies: readonly Anomaly[];
  readonly stretches: readonly Stretch[];
}

const DAY_MS = 86_400_000;

export function grade({ anomalies, stretches }: Graded, labels: Labels): Grade {
  const { protocol } = labels;
  const counted = stretches.map(({ symbol, from, to }) => ({ symbol, from: from + protocol.warmUp_s * 1000, to }));
  const within = (symbol: string, at: number): boolean =>
    counted.some((stretch) => stretch.symbol === symbol && at >= stretch.from && at <= stretch.to);
  const events = labels.events.filter(({ symbol, start }) => within(symbol, start)).sort((a, b) => a.start - b.start);
  const kinds = new Set(events.map(({ kind }) => kind));
  const alerts = anomalies.filter(
    ({ phase, kind, symbol, timestamp }) =>
      phase !== 'close' && (kind !== 'data_fault' || kinds.has(kind)) && within(symbol, timestamp),
  );
  const symbolDays = stretches.reduce((sum, { from, to }) => sum + to - from, 0) / DAY_MS;
  const choices = choicesOf(kinds);
  const outcomes = events.map((event) => outcomeOf(event, alerts, protocol));
  return {
    events: events.length,
    eventsOutside: labels.events.length - events.length,
    symbolDays,
    protocol,
    scores: choices.map(({ name, takes }) => score(name, alerts.filter(takes), events, labels, symbolDays)),
    groups: groupsOf(outcomes),
    outcomes,
  };
}

interface Choice {
  readonly name: string;
  readonly takes: (alert: Anomaly) => boolean;
}

/** All alerts, the more severe ones, and where labels are of one kind those of that kind. */
function choicesOf(kinds: ReadonlySet<string | null>): Choice[] {
  const atLeast =
    (least: Severity) =>
    ({ severity }: Anomaly): boolean =>
      SEVERITIES.indexOf(severity) >= SEVERITIES.indexOf(least);
  const choices: Choice[] = [
    { name: 'all', takes: () => true },
    { name: 'warning and up', takes: atLeast('warning') },
    { name: 'critical', takes: atLeast('critical') },
  ];
  const [kind] = kinds;
  if (kinds.size !== 1 || kind == null) return choices;
  const ofKind = (alert: Anomaly): boolean => alert.kind === kind;
  const critical = atLeast('critical');
  return [
    ...choices,
    { name: kind, takes: ofKind },
    { name: `${kind}, critical`, takes: (alert) => ofKind(alert) && critical(alert) },
  ];
}

/** The first alert from `before_s` before the start until the end, or the longest window after the start. */
function alertsOn({ symbol, start, end }: Event, alerts: readonly Anomaly[], protocol: Protocol): Anomaly[] {
  const until = Math.max(end, start + Math.max(protocol.within_s, ...protocol.windows_s) * 1000);
  return alerts.filter(
    (alert) =>
      alert.symbol === symbol && alert.timestamp >= start - protocol.before_s * 1000 && alert.timestamp <= until,
  );
}

function foundUntil({ start, end }: Event, protocol: Protocol): number {
  return Math.max(end, start + protocol.within_s * 1000);
}

function outcomeOf(event: Event, alerts: readonly Anomaly[], protocol: Protocol): Outcome {
  const until = foundUntil(event, protocol);
  const inTime = alertsOn(event, alerts, protocol).filter(({ timestamp }) => timestamp <= until);
  const [first] = inTime;
  return {
    event,
    alert: first?.id ?? null,
    delay_s: first ? (first.timestamp - event.start) / 1000 : null,
    kinds: [...new Set(inTime.map(({ kind }) => kind))],
  };
}

function score(
  name: string,
  alerts: readonly Anomaly[],
  events: readonly Event[],
  labels: Labels,
  symbolDays: number,
): Score {
  const { protocol } = labels;
  const delays: number[] = [];
  const hits = protocol.windows_s.map(() => 0);
  for (const event of events) {
    const [first] = alertsOn(event, alerts, protocol);
    if (!first) continue;
    const delay = (first.timestamp - event.start) / 1000;
    if (first.timestamp <= foundUntil(event, protocol)) delays.push(delay);
    for (const [i, window] of protocol.windows_s.entries()) if (delay <= window) hits[i]!++;
  }
  const falseAlerts = countFalse(alerts, events, labels);
  const found = delays.length;
  return {
    alerts: name,
    found,
    recall: found / Math.max(1, events.length),
    recallInterval: shareInterval(found, events.length),
    delay_s: found === 0 ? null : { median: quantile(delays, 0.5), p90: quantile(delays, 0.9) },
    falseAlerts,
    falseADay: falseAlerts / symbolDays,
    falseADayInterval: rateInterval(falseAlerts, symbolDays),
    windows: protocol.windows_s.map((within_s, i) => {
      const precision = hits[i]! / Math.max(1, hits[i]! + falseAlerts);
      const recall = hits[i]! / Math.max(1, events.length);
      const f1 = precision + recall > 0 ? (2 * precision * recall) / (precision + recall) : 0;
      return { within_s, hits: hits[i]!, precision, recall, f1 };
    }),
  };
}

/** Alerts near no event and no noise, those of one symbol close together counted once. */
function countFalse(alerts: readonly Anomaly[], events: readonly Event[], { noise, protocol }: Labels): number {
  const [before, after] = protocol.near_s.map((seconds) => seconds * 1000) as [number, number];
  const early = Math.max(before, protocol.before_s * 1000);
  const zones = Map.groupBy(
    [
      ...events.map((event) => ({
        symbol: event.symbol,
        from: event.start - early,
        to: Math.max(event.end + after, foundUntil(event, protocol)),
      })),
      ...noise.map(({ symbol, at }) => ({ symbol, from: at - before, to: at + after })),
    ],
    ({ symbol }) => symbol,
  );
  const last = new Map<string, number>();
  let count = 0;
  for (const { symbol, timestamp } of alerts) {
    if (zones.get(symbol)?.some(({ from, to }) => timestamp >= from && timestamp <= to)) continue;
    if (timestamp - (last.get(symbol) ?? Number.NEGATIVE_INFINITY) < protocol.merge_s * 1000) continue;
    last.set(symbol, timestamp);
    count++;
  }
  return count;
}

function groupsOf(outcomes: readonly Outcome[]): Group[] {
  const named = outcomes.filter(({ event }) => event.kind !== null);
  const groups = Map.groupBy(named, ({ event }) => `${event.kind} ${event.size ?? ''}`);
  return [...groups.values()]
    .map((members) => {
      const { kind, size } = members[0]!.event;
      const delays = members.flatMap(({ delay_s }) => (delay_s === null ? [] : [delay_s]));
      return {
        kind: kind!,
        size,
        events: members.length,
        found: delays.length,
        recallInterval: shareInterval(delays.length, members.length),
        named: members.filter(({ event, kinds }) => (kinds as readonly string[]).includes(event.kind!)).length,
        medianDelay_s: delays.length === 0 ? null : quantile(delays, 0.5),
      };
    })
    .sort((a, b) => (a.kind < b.kind ? -1 : a.kind > b.kind ? 1 : (a.size ?? 0) - (b.size ?? 0)));
}

/** The value below which a share `q` of them lies; the upper of two in the middle. */
function quantile(values: readonly number[], q: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))]!;
}
