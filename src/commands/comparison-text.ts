/** A comparison of two detectors for people. */
import {
  type Comparison,
  type Counts,
  countsBy,
  countsOf,
  type Incident,
  medianDelay_s,
  severityStep,
} from './comparison.ts';

const LISTED_MAX = 20;

/** `other`: what to call the one that is not in force. */
export function comparisonText(other: string, comparison: Comparison): string {
  const { both, activeAlone, otherAlone } = comparison;
  const counts = countsOf(comparison);
  const delay = medianDelay_s(both);
  const later = delay === null ? '' : `; ${other} opens them ${when(delay)}`;
  const lines = [
    `Found by both ${counts.both} (${counts.moreSevere} more severe by ${other}, ${counts.lessSevere} less${later}), by the active one alone ${counts.activeAlone}, by ${other} alone ${counts.otherAlone}.`,
  ];
  for (const [title, of] of [
    ['symbol', ({ symbol }: Incident) => symbol],
    ['kind', ({ kind }: Incident) => kind],
  ] as const)
    lines.push('', ...table(title, other, countsBy(comparison, of)));
  const changed = both.filter((pair) => severityStep(pair) !== 0);
  const differences = [
    ...activeAlone.map((incident) => ({ at: incident.from, line: `-  ${incidentLine(incident)}` })),
    ...otherAlone.map((incident) => ({ at: incident.from, line: `+  ${incidentLine(incident)}` })),
    ...changed.map(({ active, other: its }) => ({
      at: active.from,
      line: `~  ${incidentLine(active)}; ${other}: ${its.severity}`,
    })),
  ].sort((a, b) => b.at - a.at);
  if (differences.length > 0)
    lines.push('', `The last differences (+ ${other} alone, - the active one alone, ~ another severity):`);
  lines.push(...differences.slice(0, LISTED_MAX).map(({ line }) => line));
  if (differences.length > LISTED_MAX) lines.push(`and ${differences.length - LISTED_MAX} before them: --json has all`);
  return `${lines.join('\n')}\n`;
}

function table(title: string, other: string, rows: ReadonlyMap<string, Counts>): string[] {
  const head = [title, 'both', 'active alone', `${other} alone`, 'more severe', 'less severe'];
  const cells = [...rows].map(([name, { both, activeAlone, otherAlone, moreSevere, lessSevere }]) => [
    name,
    ...[both, activeAlone, otherAlone, moreSevere, lessSevere].map(String),
  ]);
  const width = head.map((_, i) => Math.max(...[head, ...cells].map((row) => row[i]!.length)));
  return [head, ...cells].map((row) =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(width[i]!) : cell.padStart(width[i]!))).join('  '),
  );
}

function incidentLine({ from, symbol, kind, severity, summary }: Incident): string {
  return `${new Date(from).toISOString()} ${symbol} ${kind} ${severity}: ${summary}`;
}

function when(delay_s: number): string {
  if (delay_s === 0) return 'at the same trade, at the median';
  return `${Math.abs(delay_s).toFixed(1)} s ${delay_s > 0 ? 'later' : 'earlier'} at the median`;
}
