/** The grades of a backtest as text for a terminal. */
import type { Grade } from '../backtest/grade.ts';
import type { SweepPoint } from '../backtest/sweep.ts';
import { rateText, shareText } from '../report/grade-tables.ts';

export function gradeText(grade: Grade): string {
  const { events, eventsOutside, symbolDays, scores, groups } = grade;
  const outside = eventsOutside > 0 ? `; ${eventsOutside} outside the tapes or in the warm-up` : '';
  const lines = [
    `${events} labelled events in ${symbolDays.toFixed(2)} symbol-days${outside} (intervals 95 %: Wilson, Garwood)`,
    '',
    ...columns([
      ['alerts', 'found', 'recall', 'delay s, median', 'p90', 'false', 'false a symbol-day'],
      ...scores.map(({ alerts, found, recall, recallInterval, delay_s, falseAlerts, falseADay, falseADayInterval }) => [
        alerts,
        `${found} of ${events}`,
        shareText(recall, recallInterval),
        delay_s ? delay_s.median.toFixed(1) : '-',
        delay_s ? delay_s.p90.toFixed(1) : '-',
        String(falseAlerts),
        rateText(falseADay, falseADayInterval),
      ]),
    ]),
    '',
    ...columns([
      ['precision/recall/F1 %', ...(scores[0]?.windows ?? []).map(({ within_s }) => `${within_s} s`)],
      ...scores.map(({ alerts, windows }) => [
        alerts,
        ...windows.map((window) =>
          [window.precision, window.recall, window.f1].map((x) => (100 * x).toFixed(1)).join('/'),
        ),
      ]),
    ]),
  ];
  if (groups.length > 1) {
    lines.push(
      '',
      ...columns([
        ['kind', 'size', 'found', 'recall', 'named right', 'delay s, median'],
        ...groups.map(({ kind, size, events: of, found, recallInterval, named, medianDelay_s }) => [
          kind,
          String(size ?? ''),
          `${found} of ${of}`,
          shareText(found / of, recallInterval),
          `${named} of ${of}`,
          medianDelay_s === null ? '-' : medianDelay_s.toFixed(1),
        ]),
      ]),
    );
  }
  return lines.join('\n');
}

export function sweepText(sweep: readonly SweepPoint[]): string {
  return [
    '',
    ...columns([
      ['budget', 'given a symbol-day', 'recall', 'false a symbol-day', 'delay s, median'],
      ...sweep.map(({ budget, given, graded }) => [
        String(budget),
        given.toPrecision(3),
        graded ? shareText(graded.recall, graded.recallInterval) : '-',
        graded ? rateText(graded.falseADay, graded.falseADayInterval) : '-',
        graded?.medianDelay_s == null ? '-' : graded.medianDelay_s.toFixed(1),
      ]),
    ]),
  ].join('\n');
}

/** Rows as aligned columns, the first to the left and the others to the right. */
function columns(rows: readonly (readonly string[])[]): string[] {
  const widths = rows[0]!.map((_, i) => Math.max(...rows.map((row) => row[i]!.length)));
  return rows.map((row) =>
    row
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
      .join('   ')
      .trimEnd(),
  );
}
