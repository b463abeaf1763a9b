/** The sweep over budgets: recall against false alerts with labels, incidents given against asked for without. */
import { escaped, line, place, svg, text } from './paint.ts';
import { linear, logarithmic, logTicks, type Scale, short } from './scale.ts';

export interface SweepPoint {
  /** Incidents asked for a symbol-day. */
  readonly budget: number;
  /** Incidents opened a symbol-day. */
  readonly given: number;
  /** With labels. */
  readonly graded: {
    readonly recall: number;
    readonly recallInterval: readonly [number, number];
    readonly falseADay: number;
    readonly medianDelay_s: number | null;
  } | null;
}

export function sweepChartSvg(points: readonly SweepPoint[], alone = true): string {
  const graded = points.every((point) => point.graded !== null);
  const frame = {
    width: 640,
    height: 320,
    alone,
    label: graded ? 'recall against false alerts' : 'incidents given against asked for',
  };
  return svg(frame, graded ? recallCurve(points) : budgetCurve(points));
}

const BOX = { left: 56, right: 610, top: 34, bottom: 270 };

function recallCurve(points: readonly SweepPoint[]): string {
  const places = points.map(({ budget, graded }) => ({ budget, ...graded! }));
  const least = Math.min(...places.map(({ falseADay }) => falseADay).filter((value) => value > 0), 1);
  const x = logarithmic(least / 3, Math.max(1, ...places.map(({ falseADay }) => falseADay)) * 1.6, BOX.left, BOX.right);
  const y = linear(0, 1, BOX.bottom, BOX.top);
  const dots = places.map(({ budget, recall, recallInterval: [low, high], falseADay }) => {
    const at = x.at(falseADay);
    const title = `budget ${budget}: recall ${Math.round(recall * 100)} %, ${falseADay.toPrecision(2)} false alerts a symbol-day`;
    return (
      line(at, y.at(low), at, y.at(high), 'whisker') +
      `<g><title>${escaped(title)}</title><circle cx="${place(at)}" cy="${place(y.at(recall))}" r="4.5" class="dot notice"/></g>` +
      text(at + 8, y.at(recall) + 15, String(budget), 'strong')
    );
  });
  const marks = [0, 0.25, 0.5, 0.75, 1];
  return [
    text(BOX.left, 16, 'Recall against false alerts a symbol-day, by budget', 'title'),
    ...marks.map(
      (value) =>
        line(BOX.left, y.at(value), BOX.right, y.at(value), 'grid') +
        text(BOX.left - 8, y.at(value) + 4, `${value * 100} %`, 'end'),
    ),
    xAxis(x, 'false alerts a symbol-day (a point at the left edge may have none); lines are 95 % intervals of recall'),
    path(places.map(({ falseADay, recall }) => [x.at(falseADay), y.at(recall)])),
    ...dots,
  ].join('');
}

function budgetCurve(points: readonly SweepPoint[]): string {
  const all = points.flatMap(({ budget, given }) => [budget, given]).filter((value) => value > 0);
  const from = Math.min(...all) / 2;
  const to = Math.max(...all) * 2;
  const x = logarithmic(from, to, BOX.left, BOX.right);
  const y = logarithmic(from, to, BOX.bottom, BOX.top);
  const band = `<path class="band" d="M${[
    [from, from * 2],
    [to / 2, to],
    [to, to],
    [to, to / 2],
    [from * 2, from],
    [from, from],
  ]
    .map(([asked, given]) => `${place(x.at(asked!))} ${place(y.at(given!))}`)
    .join('L')}z"/>`;
  return [
    text(BOX.left, 16, 'Incidents given against asked for, a symbol-day', 'title'),
    band,
    ...logTicks(from, to).map(
      (value) =>
        line(BOX.left, y.at(value), BOX.right, y.at(value), 'grid') +
        text(BOX.left - 8, y.at(value) + 4, short(value), 'end'),
    ),
    xAxis(x, 'incidents asked for a symbol-day; the band is half to twice as many'),
    path(points.map(({ budget, given }) => [x.at(budget), y.at(given)])),
    ...points.map(
      ({ budget, given }) =>
        `<g><title>asked ${budget}, given ${given.toPrecision(3)}</title><circle cx="${place(x.at(budget))}" cy="${place(y.at(given))}" r="4.5" class="dot notice"/></g>`,
    ),
  ].join('');
}

function xAxis(x: Scale, words: string): string {
  const marks = logTicks(x.from, x.to);
  return (
    marks
      .filter((_, i) => marks.length <= 9 || i % 2 === 0)
      .map(
        (value) =>
          line(x.at(value), BOX.top, x.at(value), BOX.bottom, 'grid') +
          text(x.at(value), BOX.bottom + 16, short(value), 'middle'),
      )
      .join('') + text((BOX.left + BOX.right) / 2, BOX.bottom + 36, words, 'middle')
  );
}

function path(points: readonly (readonly [number, number])[]): string {
  return `<path class="curve" d="M${points.map(([x, y]) => `${place(x)} ${place(y)}`).join('L')}"/>`;
}
