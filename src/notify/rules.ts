/** Which records a sink is told of. Pure: the record alone decides, so that a restart decides the same. */
import type { Anomaly, Severity } from '../market/records.ts';

export interface SinkRules {
  /** Absent: all. */
  readonly symbols?: readonly string[];
  readonly kinds?: readonly string[];
  readonly least_severity?: Severity;
  /** Daily periods `HH:MM-HH:MM`, which may reach over midnight. */
  readonly quiet_hours?: readonly string[];
  /** Of the quiet hours, as `Europe/Berlin`; UTC where absent. */
  readonly time_zone?: string;
  /** This and worse is told in quiet hours too. */
  readonly through_quiet_hours?: Severity;
}

const RANK: Readonly<Record<Severity, number>> = { notice: 0, warning: 1, critical: 2 };

/** Whether an opening or a growing incident is told. */
export function wants(rules: SinkRules, anomaly: Anomaly): boolean {
  const { symbols, kinds, least_severity = 'notice', through_quiet_hours } = rules;
  if (anomaly.phase !== 'open' && anomaly.phase !== 'escalate') return false;
  if (symbols && !symbols.includes(anomaly.symbol)) return false;
  if (kinds && !kinds.includes(anomaly.kind)) return false;
  if (RANK[anomaly.severity] < RANK[least_severity]) return false;
  if (through_quiet_hours && RANK[anomaly.severity] >= RANK[through_quiet_hours]) return true;
  return !isQuiet(rules, anomaly.timestamp);
}

export function isQuiet({ quiet_hours = [], time_zone = 'UTC' }: SinkRules, ms: number): boolean {
  if (quiet_hours.length === 0) return false;
  const clock = new Date(ms).toLocaleTimeString('en-GB', { timeZone: time_zone, hour: '2-digit', minute: '2-digit' });
  return quiet_hours.some((period) => {
    const [from = '', to = ''] = period.split('-');
    return from <= to ? clock >= from && clock < to : clock >= from || clock < to;
  });
}
