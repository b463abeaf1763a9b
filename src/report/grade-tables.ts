/** The grades of a backtest against labels, as tables. */
import { table } from './page.ts';
import { escaped } from './paint.ts';
import { timeText } from './scale.ts';

export interface GradeTable {
  readonly events: number;
  readonly eventsOutside: number;
  readonly symbolDays: number;
  readonly scores: readonly {
    readonly alerts: string;
    readonly found: number;
    readonly recall: number;
    readonly recallInterval: readonly [number, number];
    readonly delay_s: { readonly median: number; readonly p90: number } | null;
    readonly falseAlerts: number;
    readonly falseADay: number;
    readonly falseADayInterval: readonly [number, number];
    readonly windows: readonly {
      readonly within_s: number;
      readonly precision: number;
      readonly recall: number;
      readonly f1: number;
    }[];
  }[];
  readonly groups: readonly {
    readonly kind: string;
    readonly size: number | null;
    readonly events: number;
    readonly found: number;
    readonly recallInterval: readonly [number, number];
    readonly named: number;
    readonly medianDelay_s: number | null;
  }[];
  readonly outcomes: readonly {
    readonly event: {
      readonly symbol: string;
      readonly kind: string | null;
      readonly size: number | null;
      readonly start: number;
      readonly end: number;
    };
    readonly alert: string | null;
    readonly delay_s: number | null;
  }[];
}

/** How a share is written: `95 % (76 to 99)`. */
export function shareText(share: number, [low, high]: readonly [number, number]): string {
  return `${Math.round(share * 100)} % (${Math.round(low * 100)} to ${Math.round(high * 100)})`;
}

export function rateText(rate: number, [low, high]: readonly [number, number]): string {
  return `${rate.toPrecision(2)} (${low.toPrecision(2)} to ${high.toPrecision(2)})`;
}

export function gradeSection(grade: GradeTable): string {
  const { events, eventsOutside, symbolDays, scores, groups } = grade;
  const outside = eventsOutside > 0 ? ` ${eventsOutside} more lie outside these tapes or in the warm-up.` : '';
  const rows = scores.map((score) => [
    escaped(score.alerts),
    `${score.found} of ${events}`,
    shareText(score.recall, score.recallInterval),
    score.delay_s ? seconds(score.delay_s.median) : '–',
    score.delay_s ? seconds(score.delay_s.p90) : '–',
    String(score.falseAlerts),
    rateText(score.falseADay, score.falseADayInterval),
  ]);
  const headers = [
    'alerts',
    'found#',
    'recall (95 %)#',
    'median delay#',
    'p90#',
    'false#',
    'false a symbol-day (95 %)#',
  ];
  return `<h2>Against the labels</h2>
<p class="soft">${events} labelled events in ${symbolDays.toFixed(1)} symbol-days.${outside} Intervals: Wilson for recall, Garwood for rates.</p>
${table(headers, rows)}
${windowTable(scores)}
${groups.length > 1 ? groupTable(groups) : ''}
${missed(grade)}`;
}

function windowTable(scores: GradeTable['scores']): string {
  const headers = [
    'precision / recall / F1, %',
    ...(scores[0]?.windows ?? []).map(({ within_s }) => `within ${within_s} s#`),
  ];
  const percent = (share: number): string => (share * 100).toFixed(0);
  const rows = scores.map(({ alerts, windows }) => [
    escaped(alerts),
    ...windows.map(({ precision, recall, f1 }) => `${percent(precision)} / ${percent(recall)} / ${percent(f1)}`),
  ]);
  return table(headers, rows);
}

function groupTable(groups: GradeTable['groups']): string {
  const rows = groups.map(({ kind, size, events, found, recallInterval, named, medianDelay_s }) => [
    escaped(kind),
    size === null ? '' : String(size),
    `${found} of ${events}`,
    shareText(found / events, recallInterval),
    `${named} of ${events}`,
    medianDelay_s === null ? '–' : seconds(medianDelay_s),
  ]);
  return table(['kind', 'size#', 'found#', 'recall (95 %)#', 'named right#', 'median delay#'], rows);
}

function missed({ outcomes }: GradeTable): string {
  const rows = outcomes
    .filter(({ alert }) => alert === null)
    .map(({ event: { symbol, kind, size, start } }) => [
      `${timeText(start, 0)}`,
      escaped(symbol),
      escaped(kind ?? ''),
      size === null ? '' : String(size),
    ]);
  if (rows.length === 0) return '';
  return `<details><summary>${rows.length} missed</summary>${table(['start (UTC)', 'symbol', 'kind', 'size#'], rows)}</details>`;
}

function seconds(value: number): string {
  return `${Number(value.toFixed(1))} s`;
}
