/** A symbol's prices and volumes over time, with its alerts on them: for pages, explanations and notifications. */
import { type Phase, SEVERITIES, type Severity } from '../market/records.ts';
import { escaped, line, place, rect, svg, text } from './paint.ts';
import { linear, priceText, type Scale, short, ticks, timeText, timeTicks } from './scale.ts';

/** What traded in one step of time; steps without trades are left out. One before the chart tells where its price begins. */
export interface PricePoint {
  /** Start, ms. */
  readonly at: number;
  readonly low: number;
  readonly high: number;
  readonly close: number;
  readonly quote: number;
}

export interface AlertMark {
  readonly timestamp: number;
  readonly severity: Severity;
  readonly kind: string;
  readonly phase: Phase;
}

export interface AlertChart {
  readonly symbol: string;
  /** ms. */
  readonly from: number;
  readonly to: number;
  readonly step_s: number;
  readonly points: readonly PricePoint[];
  readonly alerts: readonly AlertMark[];
  /** Labelled events, shaded. */
  readonly events?: readonly { readonly start: number; readonly end: number; readonly name: string }[];
  readonly title?: string;
  readonly width?: number;
  readonly height?: number;
  /** Whether it stands alone (true) or in a page that has the style. */
  readonly alone?: boolean;
}

export function alertChartSvg(chart: AlertChart): string {
  const { symbol, width = 960, height = 260, alone = true, title = symbol } = chart;
  const frame = { width, height, label: `${symbol}: price and alerts`, alone };
  return svg(frame, alertChartBody(chart, { left: 8, right: width - 82, top: 26, bottom: height - 22 }, title));
}

export interface Box {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** The same as part of a greater picture; `more` draws on it, below the alerts. */
export function alertChartBody(
  chart: AlertChart,
  box: Box,
  title: string,
  more: (x: Scale, y: Scale) => string = () => '',
): string {
  const { from, to, points, events = [] } = chart;
  const x = linear(from, Math.max(to, from + 1000), box.left, box.right);
  const volumeTop = box.bottom - (box.bottom - box.top) * 0.22;
  const low = points.reduce((least, point) => Math.min(least, point.low), Number.POSITIVE_INFINITY);
  const high = points.reduce((most, point) => Math.max(most, point.high), 0);
  if (points.length === 0) return text(box.left, box.top, `${title}: no trades`, 'title');
  const margin = high > low ? (high - low) * 0.06 : high * 0.005;
  const y = linear(low - margin, high + margin, volumeTop - 4, box.top + 4);
  return [
    text(box.left, box.top - 10, title, 'title'),
    timeAxis(x, box),
    priceAxis(y, box),
    ...events.map((event) => eventShape(event, x, box)),
    volumes(chart, x, volumeTop, box.bottom),
    priceRange(chart, x, y),
    `<path class="price" d="${pricePath(chart, x, y)}"/>`,
    more(x, y),
    ...marks(chart, x, y, box),
  ].join('');
}

export function timeAxis(x: Scale, box: Box): string {
  const count = Math.max(2, Math.floor((box.right - box.left) / 110));
  return timeTicks(x.from, x.to, count)
    .map(({ at, text: words }) => {
      const place_ = x.at(at);
      const css = place_ > box.right - 30 ? 'end' : place_ < box.left + 30 ? '' : 'middle';
      return line(place_, box.top, place_, box.bottom, 'grid') + text(place_, box.bottom + 15, words, css);
    })
    .join('');
}

function priceAxis(y: Scale, box: Box): string {
  const values = ticks(y.from, y.to, Math.max(2, Math.floor((box.bottom - box.top) / 38)));
  const step = values.length > 1 ? values[1]! - values[0]! : y.from / 1000;
  return values
    .map((value) => {
      const at = y.at(value);
      return line(box.left, at, box.right, at, 'grid') + text(box.right + 6, at + 4, priceText(value, step));
    })
    .join('');
}

/** A price holds until the next trade: steps, not slopes. */
function pricePath({ points, from, to }: AlertChart, x: Scale, y: Scale): string {
  const [first] = points;
  let path = `M${place(x.at(Math.max(from, first!.at)))} ${place(y.at(first!.close))}`;
  let lastX = '';
  for (const { at, close } of points) {
    const here = place(x.at(Math.max(from, at)));
    path += `${here === lastX ? '' : `H${here}`}V${place(y.at(close))}`;
    lastX = here;
  }
  return `${path}H${place(x.at(to))}`;
}

function priceRange({ points, step_s }: AlertChart, x: Scale, y: Scale): string {
  const wide = Math.max(1, x.at(x.from + step_s * 1000) - x.at(x.from));
  const bars = points.filter(({ at, low, high }) => high > low && at >= x.from);
  const path = bars.map(({ at, low, high }) => {
    const top = y.at(high);
    return `M${place(x.at(at))} ${place(top)}h${place(wide)}v${place(y.at(low) - top)}h${place(-wide)}z`;
  });
  return `<path class="range" d="${path.join('')}"/>`;
}

function volumes({ points, step_s }: AlertChart, x: Scale, top: number, bottom: number): string {
  const most = points.reduce((greatest, { at, quote }) => Math.max(greatest, at >= x.from ? quote : 0), 0);
  if (most === 0) return '';
  // By their root, as volumes have tails so long that all else would vanish.
  const y = linear(0, Math.sqrt(most), bottom, top);
  const wide = Math.max(0.8, x.at(x.from + step_s * 1000) - x.at(x.from) - 0.2);
  const path = points
    .filter(({ at, quote }) => quote > 0 && at >= x.from)
    .map(({ at, quote }) => {
      const up = y.at(Math.sqrt(quote));
      return `M${place(x.at(at))} ${place(bottom)}V${place(up)}h${place(wide)}V${place(bottom)}z`;
    });
  return `<path class="volume" d="${path.join('')}"><title>quote volume, at most ${short(most)} in ${step_s} s</title></path>`;
}

function eventShape(
  { start, end, name }: { readonly start: number; readonly end: number; readonly name: string },
  x: Scale,
  box: Box,
): string {
  const from = x.at(Math.max(start, x.from));
  const to = x.at(Math.min(end, x.to));
  const words = text(from + 4, box.top + 10, name, 'eventtext');
  return (
    rect(from, box.top, to - from, box.bottom - box.top, 'event') +
    line(from, box.top, from, box.bottom, 'eventline') +
    words
  );
}

/** A line for each alert, a dot at the price for those that open or escalate; the gravest are drawn last. */
function marks({ alerts, points, from, to }: AlertChart, x: Scale, y: Scale, box: Box): string[] {
  const shown = alerts
    .filter(({ phase, timestamp }) => phase !== 'close' && timestamp >= from && timestamp <= to)
    .toSorted((a, b) => SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity));
  return shown.map(({ timestamp, severity, kind, phase }) => {
    const at = x.at(timestamp);
    const radius = phase === 'update' ? 2 : severity === 'critical' ? 5 : severity === 'warning' ? 4.2 : 3.4;
    const dot = `<circle cx="${place(at)}" cy="${place(y.at(priceAt(points, timestamp)))}" r="${radius}" class="dot ${severity}"/>`;
    const words = `${timeText(timestamp)} UTC · ${kind} · ${severity} (${phase})`;
    const stem = phase === 'update' ? '' : line(at, box.top, at, box.bottom, `mark ${severity}`);
    return `<g><title>${escaped(words)}</title>${stem}${dot}</g>`;
  });
}

function priceAt(points: readonly PricePoint[], timestamp: number): number {
  let low = 0;
  let high = points.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (points[middle]!.at <= timestamp) low = middle;
    else high = middle - 1;
  }
  return points[low]!.close;
}
