/** One incident on a page: what it was, its picture, expected and actual, what contributed, how it went on. */
import { type Anomaly, incidentOf, SEVERITIES } from '../market/records.ts';
import { meter, table } from './page.ts';
import { escaped } from './paint.ts';
import { featureText, timeText } from './scale.ts';

/** An incident's records in their order, the one that opened it first. */
export type Incident = readonly [Anomaly, ...Anomaly[]];

/** The records of each incident, in the order in which they opened. */
export function incidentsOf(anomalies: readonly Anomaly[]): Incident[] {
  return [...Map.groupBy(anomalies, ({ id }) => incidentOf(id)).values()] as unknown as Incident[];
}

/** The record that tells most: the gravest, of these the first. */
export function gravest(incident: Incident): Anomaly {
  return incident.reduce((most, record) =>
    SEVERITIES.indexOf(record.severity) > SEVERITIES.indexOf(most.severity) ? record : most,
  );
}

/** `picture` is markup, empty for none. */
export function incidentCard(incident: Incident, picture: string): string {
  const top = gravest(incident);
  const [first] = incident;
  const close = incident.find(({ phase }) => phase === 'close');
  const lasted = close ? `, ${lasting((close.timestamp - first.timestamp) / 1000)}` : ', open at the end of the tape';
  return `<article class="card" id="${escaped(first.id)}">
<div class="head"><span class="tag ${top.severity}">${top.severity}</span><h3>${escaped(first.symbol)} · ${words(top.kind)}${arrow(top)}</h3>
<time datetime="${new Date(first.timestamp).toISOString()}">${timeText(first.timestamp)} UTC${lasted}</time></div>
<p class="summary">${escaped(top.summary)}</p>
${picture ? `<div class="chart">${picture}</div>` : ''}
${evidence(top)}
${incident.length > 1 ? course(incident) : ''}
<p class="small soft">${escaped(first.id)}</p>
</article>`;
}

/** Expected, actual and share of every feature that spoke. */
export function evidence({ actual, expected, contributions }: Anomaly): string {
  const shares = new Map(contributions.map(({ feature, share }) => [feature, share]));
  const names = [...new Set([...contributions.map(({ feature }) => feature), ...Object.keys(actual)])];
  if (names.length === 0) return '';
  const rows = names.map((name) => {
    const usual = expected[name];
    const share = shares.get(name);
    return [
      `<code>${escaped(name)}</code>`,
      actual[name] === undefined ? '' : featureText(name, actual[name]),
      usual ? `${featureText(name, usual[0])} to ${featureText(name, usual[1])}` : '',
      share === undefined ? '' : meter(share),
    ];
  });
  return table(['feature', 'actual#', 'usual#', 'part in it'], rows);
}

function course(incident: Incident): string {
  const [first] = incident;
  const rows = incident.map(({ timestamp, phase, kind, severity, summary }) => [
    `+${lasting((timestamp - first.timestamp) / 1000)}`,
    phase,
    `<span class="tag ${severity}">${severity}</span>`,
    words(kind),
    escaped(summary),
  ]);
  return `<details><summary class="small soft">${incident.length} records</summary>${table(['', 'phase', 'severity', 'kind', ''], rows)}</details>`;
}

export function words(kind: string): string {
  return escaped(kind.replaceAll('_', ' '));
}

function arrow({ direction }: Anomaly): string {
  return direction === 'up' ? ' ↑' : direction === 'down' ? ' ↓' : '';
}

function lasting(seconds: number): string {
  if (seconds < 60) return `${Number(seconds.toFixed(1))} s`;
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${Number((seconds / 3600).toFixed(1))} h`;
}
