/** What two detectors made of the same trades: incidents that both found, that one alone found, and how severe they took them. */
import {
  type Anomaly,
  incidentOf,
  KINDS,
  type Kind,
  type Lane,
  laneOf,
  SEVERITIES,
  type Severity,
} from '../market/records.ts';

export interface Incident {
  readonly id: string;
  readonly symbol: string;
  readonly lane: Lane;
  /** Of the record that opened it. */
  readonly kind: Kind;
  /** The highest it came to. */
  readonly severity: Severity;
  /** When it opened and when it closed, event time in ms; Infinity while it is open. */
  readonly from: number;
  readonly until: number;
  readonly summary: string;
}

export interface Pair {
  readonly active: Incident;
  readonly other: Incident;
}

export interface Comparison {
  /** Open at the same time for the same symbol and lane. */
  readonly both: readonly Pair[];
  readonly activeAlone: readonly Incident[];
  readonly otherAlone: readonly Incident[];
}

export interface Counts {
  both: number;
  activeAlone: number;
  otherAlone: number;
  /** Of both: as the other sees it. */
  moreSevere: number;
  lessSevere: number;
}

/** Incidents in the order of their opening. */
export function incidentsOf(records: Iterable<Anomaly>): Incident[] {
  const incidents = new Map<string, Incident>();
  for (const { id, symbol, kind, severity, timestamp, phase, summary } of records) {
    const name = incidentOf(id);
    const before = incidents.get(name);
    const until = phase === 'close' ? timestamp : Number.POSITIVE_INFINITY;
    if (before) incidents.set(name, { ...before, severity: worse(before.severity, severity), until });
    else incidents.set(name, { id: name, symbol, lane: laneOf(id), kind, severity, from: timestamp, until, summary });
  }
  return [...incidents.values()].sort((a, b) => a.from - b.from || (a.symbol < b.symbol ? -1 : 1));
}

/** Pairs each incident of the active one with the one that opened nearest to it while both were open; each has one partner. */
export function compare(active: readonly Incident[], other: readonly Incident[]): Comparison {
  const place = ({ symbol, lane }: Incident): string => `${symbol} ${lane}`;
  const left = Map.groupBy(other, place);
  const both: Pair[] = [];
  const activeAlone: Incident[] = [];
  for (const incident of active) {
    const rivals = left.get(place(incident)) ?? [];
    let nearest = -1;
    for (const [i, { from, until }] of rivals.entries()) {
      if (from > incident.until || until < incident.from) continue;
      if (nearest < 0 || Math.abs(from - incident.from) < Math.abs(rivals[nearest]!.from - incident.from)) nearest = i;
    }
    if (nearest < 0) activeAlone.push(incident);
    else both.push({ active: incident, other: rivals.splice(nearest, 1)[0]! });
  }
  const otherAlone = [...left.values()].flat().sort((a, b) => a.from - b.from || (a.symbol < b.symbol ? -1 : 1));
  return { both, activeAlone, otherAlone };
}

export function countsOf({ both, activeAlone, otherAlone }: Comparison): Counts {
  return {
    both: both.length,
    activeAlone: activeAlone.length,
    otherAlone: otherAlone.length,
    moreSevere: both.filter((pair) => severityStep(pair) > 0).length,
    lessSevere: both.filter((pair) => severityStep(pair) < 0).length,
  };
}

/** Counts by what `of` says of an incident; of a pair the active one's counts. */
export function countsBy(comparison: Comparison, of: (incident: Incident) => string): Map<string, Counts> {
  const { both, activeAlone, otherAlone } = comparison;
  const names = new Set([...both.map(({ active }) => active), ...activeAlone, ...otherAlone].map(of));
  const counts = new Map<string, Counts>();
  for (const name of [...names].sort((a, b) => orderOf(a) - orderOf(b) || (a < b ? -1 : 1))) {
    const its = (incident: Incident): boolean => of(incident) === name;
    counts.set(
      name,
      countsOf({
        both: both.filter(({ active }) => its(active)),
        activeAlone: activeAlone.filter(its),
        otherAlone: otherAlone.filter(its),
      }),
    );
  }
  return counts;
}

/** How many steps the other takes it for more severe. */
export function severityStep({ active, other }: Pair): number {
  return SEVERITIES.indexOf(other.severity) - SEVERITIES.indexOf(active.severity);
}

/** How much later the other opened, at the median, s; null where both found nothing. */
export function medianDelay_s(pairs: readonly Pair[]): number | null {
  const delays = pairs.map(({ active, other }) => (other.from - active.from) / 1000).sort((a, b) => a - b);
  return delays[delays.length >> 1] ?? null;
}

function worse(a: Severity, b: Severity): Severity {
  return SEVERITIES.indexOf(a) >= SEVERITIES.indexOf(b) ? a : b;
}

/** Kinds stand in their own order, symbols by name. */
function orderOf(name: string): number {
  return (KINDS as readonly string[]).indexOf(name);
}
