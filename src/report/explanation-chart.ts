/**
 * One anomaly as a picture: price and trades around it, the score against the level in force, the features that spoke with
 * what was usual of them, and each one's part. Panels share one axis of time.
 */
import type { Anomaly, Trade } from '../market/records.ts';
import { escaped, line, place, svg, text } from './paint.ts';
import { alertChartBody, type Box, type PricePoint, timeAxis } from './price-chart.ts';
import { featureText, linear, type Scale, ticks, timeText } from './scale.ts';
import { shareBars, shareBarsHeight } from './share-bars.ts';

export interface Explanation {
  readonly anomaly: Anomaly;
  /** All records of its incident, in their order. */
  readonly story: readonly Anomaly[];
  /** Time shown, ms. */
  readonly from: number;
  readonly to: number;
  /** Seconds that had trades. One before `from` tells where the price begins. */
  readonly seconds: readonly (PricePoint & {
    /** log10 of the return period of the strongest score, s, and of the level that opens an incident. */
    readonly score: number;
    readonly level: number;
  })[];
  readonly trades: readonly Trade[];
  readonly features: readonly FeatureCourse[];
  /** The forest's attribution, the greatest first; empty where it was not asked. */
  readonly forest: readonly { readonly feature: string; readonly share: number }[];
}

/** A feature over time, with two deviations either side of its baseline as it was then. */
export interface FeatureCourse {
  readonly name: string;
  /** ms, ascending; `value`, `low` and `high` are as long. */
  readonly at: readonly number[];
  readonly value: readonly number[];
  readonly low: readonly number[];
  readonly high: readonly number[];
}

const WIDTH = 960;
const LEFT = 8;
const RIGHT = WIDTH - 82;
const PRICE_HEIGHT = 230;
const PANEL_HEIGHT = 84;
const PANEL_GAP = 30;
const FEATURES_MAX = 5;
const TRADES_MAX = 1500;

export function explanationSvg(explanation: Explanation, alone = true): string {
  const { anomaly, features, forest } = explanation;
  const parts: string[] = [];
  let top = 26;
  if (alone) {
    parts.push(...headline(anomaly));
    top = 76;
  }
  const box = (height: number): Box => ({ left: LEFT, right: RIGHT, top, bottom: top + height });
  parts.push(pricePanel(explanation, box(PRICE_HEIGHT)));
  top += PRICE_HEIGHT + PANEL_GAP + 18;
  parts.push(scorePanel(explanation, box(PANEL_HEIGHT)));
  top += PANEL_HEIGHT + PANEL_GAP;
  for (const feature of features.slice(0, FEATURES_MAX)) {
    parts.push(featurePanel(explanation, feature, box(PANEL_HEIGHT)));
    top += PANEL_HEIGHT + PANEL_GAP;
  }
  parts.push(
    timeAxis(linear(explanation.from, explanation.to, LEFT, RIGHT), {
      ...box(0),
      top: top - PANEL_GAP,
      bottom: top - PANEL_GAP,
    }),
  );
  const shares = anomaly.contributions;
  if (shares.length + forest.length > 0) {
    top += 24;
    parts.push(shareBars('part in the score', shares, { x: LEFT, y: top, width: 450 }));
    if (forest.length > 0)
      parts.push(
        shareBars('part in the forest’s isolation, at the end of its second', forest, { x: 494, y: top, width: 450 }),
      );
    top += Math.max(shareBarsHeight(shares), shareBarsHeight(forest));
  }
  const label = `${anomaly.symbol} ${anomaly.kind}: price, score and features`;
  return svg({ width: WIDTH, height: Math.ceil(top) + 10, label, alone }, parts.join(''));
}

function headline({ symbol, kind, severity, timestamp, summary }: Anomaly): string[] {
  const words = `${symbol} · ${kind.replaceAll('_', ' ')} · ${severity} · ${timeText(timestamp)} UTC`;
  return [
    text(LEFT, 20, words, 'title'),
    text(LEFT, 38, summary.length > 150 ? `${summary.slice(0, 149)}…` : summary, 'strong'),
  ];
}

function pricePanel(explanation: Explanation, box: Box): string {
  const { anomaly, story, from, to, seconds, trades } = explanation;
  const chart = { symbol: anomaly.symbol, from, to, step_s: 1, points: seconds, alerts: story };
  return alertChartBody(
    chart,
    box,
    'price, trades, quote volume by second',
    (x, y) => marker(anomaly, x, box) + tradeDots(trades, x, y),
  );
}

/** Trades by the taker's side, their area by their notional. The largest are kept where there are too many. */
function tradeDots(trades: readonly Trade[], x: Scale, y: Scale): string {
  const notional = ({ price, volume }: Trade): number => price * volume;
  const shown = trades
    .filter(({ timestamp, price }) => timestamp >= x.from && timestamp <= x.to && price > 0)
    .toSorted((a, b) => notional(b) - notional(a))
    .slice(0, TRADES_MAX);
  const most = shown[0] ? notional(shown[0]) : 1;
  return shown
    .map((trade) => {
      const radius = 0.8 + 5 * Math.sqrt(notional(trade) / (most || 1));
      const words = `${timeText(trade.timestamp)} ${trade.side} ${trade.volume} at ${trade.price}, id ${trade.id}`;
      return `<circle cx="${place(x.at(trade.timestamp))}" cy="${place(y.at(trade.price))}" r="${place(radius)}" class="trade ${trade.side}"><title>${escaped(words)}</title></circle>`;
    })
    .join('');
}

const DAY = Math.log10(86_400);
const PERIODS: readonly (readonly [name: string, log: number])[] = [
  ['1 min', Math.log10(60)],
  ['1 h', Math.log10(3600)],
  ['1 day', DAY],
  ['4 days', DAY + Math.log10(4)],
  ['40 days', DAY + Math.log10(40)],
  ['1 year', DAY + Math.log10(365)],
  ['30 years', DAY + Math.log10(10_957)],
];

/** The strongest score of each second as a return period, and the level that opens an incident. */
function scorePanel({ seconds, from, to, anomaly }: Explanation, box: Box): string {
  const x = linear(from, to, box.left, box.right);
  const shown = seconds.filter(({ at }) => at >= from);
  const own = Math.log10(Math.max(1, anomaly.return_period_s));
  const top = shown.reduce((most, { score, level }) => Math.max(most, score, level), Math.max(own, DAY + 0.7));
  const y = linear(Math.log10(60), top + 0.15, box.bottom, box.top);
  const bars = shown
    .filter(({ score }) => score > y.from)
    .map(
      ({ at, score }) =>
        `M${place(x.at(at))} ${place(box.bottom)}V${place(y.at(score))}h${place(Math.max(1, x.at(from + 1000) - x.at(from)))}V${place(box.bottom)}z`,
    );
  const level = steps(
    shown.map(({ at }) => at),
    shown.map((second) => second.level),
    x,
    y,
  );
  const named: string[] = [];
  let last = Number.POSITIVE_INFINITY;
  for (const [name, log] of PERIODS) {
    const at = y.at(log);
    if (log > y.to || last - at < 15) continue;
    last = at;
    named.push(line(box.left, at, box.right, at, 'grid') + text(box.right + 6, at + 4, name));
  }
  return [
    text(
      box.left,
      box.top - 8,
      'how rare the strongest score is (comes once in …), dashed: the level that opens an incident',
      'title',
    ),
    ...named,
    `<path class="bar" d="${bars.join('')}"/>`,
    `<path class="bandline" d="${level}"/>`,
    marker(anomaly, x, box),
  ].join('');
}

function featurePanel({ from, to, anomaly }: Explanation, feature: FeatureCourse, box: Box): string {
  const { name, at, value, low, high } = feature;
  const x = linear(from, to, box.left, box.right);
  const all = [...value, ...low, ...high].filter(Number.isFinite);
  const least = all.reduce((a, b) => Math.min(a, b), 0);
  const most = all.reduce((a, b) => Math.max(a, b), 0);
  const pad = (most - least || 1) * 0.06;
  const y = linear(least < 0 ? least - pad : 0, most + pad, box.bottom, box.top);
  const actual = anomaly.actual[name];
  const usual = anomaly.expected[name];
  const words = [
    name,
    ...(actual === undefined ? [] : [`then ${featureText(name, actual)}`]),
    ...(usual ? [`usual ${featureText(name, usual[0])} to ${featureText(name, usual[1])}`] : []),
  ];
  return [
    text(box.left, box.top - 8, words.join(' · '), 'title'),
    ...ticks(y.from, y.to, 3).map(
      (mark) =>
        line(box.left, y.at(mark), box.right, y.at(mark), 'grid') +
        text(box.right + 6, y.at(mark) + 4, featureText(name, mark)),
    ),
    at.length > 0 ? band(at, low, high, x, y) : '',
    `<path class="value" d="${steps(at, value, x, y)}"/>`,
    marker(anomaly, x, box),
  ].join('');
}

function marker({ timestamp, severity }: Anomaly, x: Scale, box: Box): string {
  return line(x.at(timestamp), box.top, x.at(timestamp), box.bottom, `mark ${severity}`);
}

function steps(at: readonly number[], values: readonly number[], x: Scale, y: Scale): string {
  let path = '';
  for (let i = 0; i < at.length; i++) {
    const [right, up] = [place(x.at(at[i]!)), place(y.at(values[i]!))];
    path += i === 0 ? `M${right} ${up}` : `H${right}V${up}`;
  }
  return path;
}

function band(at: readonly number[], low: readonly number[], high: readonly number[], x: Scale, y: Scale): string {
  const clip = (value: number): number => Math.max(y.from, Math.min(y.to, value));
  const upper = at.map((time, i) => `${place(x.at(time))} ${place(y.at(clip(high[i]!)))}`);
  const lower = at.map((time, i) => `${place(x.at(time))} ${place(y.at(clip(low[i]!)))}`).reverse();
  return `<path class="band" d="M${[...upper, ...lower].join('L')}z"/>`;
}
