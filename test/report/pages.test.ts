/** Pages and pictures: one file that loads nothing, markup that is whole, and nothing on a tape that could become markup. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Anomaly, Bar } from '../../src/market/records.ts';
import { backtestPage } from '../../src/report/backtest-page.ts';
import { sweepChartSvg } from '../../src/report/curve-chart.ts';
import { explanationSvg } from '../../src/report/explanation-chart.ts';
import { explanationPage } from '../../src/report/explanation-page.ts';
import { alertChartSvg } from '../../src/report/price-chart.ts';
import { featureText, priceText, short, ticks, timeTicks } from '../../src/report/scale.ts';

const AT = 1_760_000_000_000;
const EVIL = '<img src=x onerror=alert(1)>"&';

function anomaly(rest: Partial<Anomaly> = {}): Anomaly {
  return {
    id: `${EVIL}:market:7:0`,
    symbol: EVIL,
    timestamp: AT + 400_000,
    kind: 'pump',
    phase: 'open',
    severity: 'critical',
    score: 0.999,
    return_period_s: 1e6,
    direction: 'up',
    zscore: 12,
    forest: 0.7,
    actual: { log_return_5s: 0.0123, [EVIL]: 5 },
    expected: { log_return_5s: [-0.001, 0.001] },
    contributions: [{ feature: 'log_return_5s', share: 1 }],
    summary: `price of ${EVIL} jumps`,
    evidence: { firstTradeId: 1, lastTradeId: 7, model: 'sha256:1', settings: 'sha256:2', detector: '1' },
    ...rest,
  };
}

const bar = (second: number): Bar => ({
  symbol: EVIL,
  timestamp: AT + second * 1000,
  open: 1,
  high: 1.02 + second / 1e5,
  low: 0.98,
  close: 1 + second / 1e5,
  volume: 1,
  quoteVolume: second % 7,
  trades: 1,
  takerBuyVolume: 1,
  score: 0,
  level: 5,
});
const bars = Array.from({ length: 900 }, (_, i) => bar(i));
const points = bars.map(({ timestamp, low, high, close, quoteVolume }) => ({
  at: timestamp,
  low,
  high,
  close,
  quote: quoteVolume,
}));

/** Every tag that opens is closed, in order; as strict as XML is for what our pictures use. */
function assertWhole(markup: string, voids: readonly string[] = []): void {
  const open: string[] = [];
  for (const [, end, name, attributes, self] of markup.matchAll(
    /<(\/?)([a-zA-Z][\w-]*)((?:\s+[\w:-]+(?:="[^"<]*")?)*)\s*(\/?)>/g,
  )) {
    if (end) assert.equal(open.pop(), name, `</${name}> closes another tag`);
    else if (!self && !voids.includes(name!)) open.push(name!);
    assert.ok(!/\son\w+=/i.test(attributes!.replace(/"[^"]*"/g, '')), attributes);
  }
  assert.deepEqual(open, []);
  const text = markup.replace(/<style>[\s\S]*?<\/style>/g, '').replace(/<[^<>]*>/g, '');
  assert.ok(!/[<>]|&(?!(amp|lt|gt|quot);)/.test(text), 'text that is not escaped');
}

const stretch = {
  symbol: EVIL,
  from: AT,
  to: AT + 900_000,
  step_s: 1,
  bins: points,
  closeUps: [{ id: anomaly().id, bars }],
};
const page = backtestPage({
  title: `Backtest of ${EVIL}`,
  ran: [['tapes', EVIL]],
  trades: 900,
  symbolDays: 0.01,
  budget: 1,
  stretches: [stretch],
  anomalies: [
    anomaly(),
    anomaly({ id: `${EVIL}:market:7:1`, phase: 'close', timestamp: AT + 800_000, actual: {}, contributions: [] }),
  ],
  marketWide: [{ from: AT, to: AT + 1, direction: 'down', severity: 'warning', symbols: [EVIL, 'B'] }],
  grade: null,
  sweep: [{ budget: 1, given: 2, graded: null }],
});

test('a page is whole, loads nothing and runs nothing, whatever stands on the tape', () => {
  assertWhole(page.replace('<!doctype html>', ''), ['meta', 'link', 'img']);
  assert.ok(!/<script|<img|https?:(?!\/\/www\.w3\.org\/2000\/svg)|url\(|@import/i.test(page));
  assert.match(page, /prefers-color-scheme:dark/);
  assert.match(page, /@media print/);
});

test('a page tells the incident: severity, kind, expected and actual, its part', () => {
  assert.match(page, /<span class="tag critical">critical<\/span>/);
  assert.match(page, /1\.2 %<\/td><td class="n">-0\.1 % to 0\.1 %/);
  assert.match(page, /&lt;img src=x onerror=alert\(1\)&gt;&quot;&amp; jumps/);
});

test('pictures that stand alone are whole, also of one trade, of none, of a flat price', () => {
  const chart = { symbol: EVIL, from: AT, to: AT + 900_000, step_s: 1, alerts: [anomaly()] };
  for (const some of [
    points,
    points.slice(0, 1),
    [],
    points.map((point) => ({ ...point, low: 1, high: 1, close: 1 })),
  ]) {
    const picture = alertChartSvg({ ...chart, points: some });
    assertWhole(picture);
    assert.ok(!/NaN|Infinity|undefined/.test(picture), picture.slice(0, 2000));
  }
  const graded = { recallInterval: [0.2, 1] as const, medianDelay_s: null };
  const sweep = [
    { budget: 1, given: 0, graded: { ...graded, recall: 1, falseADay: 0 } },
    { budget: 4, given: 5, graded: { ...graded, recall: 0.5, falseADay: 3 } },
  ];
  for (const picture of [sweepChartSvg(sweep), sweepChartSvg(sweep.map((point) => ({ ...point, graded: null })))]) {
    assertWhole(picture);
    assert.ok(!/NaN|Infinity|undefined/.test(picture), picture);
  }
});

const explanation = {
  anomaly: anomaly(),
  story: [anomaly()],
  from: AT + 100_000,
  to: AT + 700_000,
  seconds: points.map((point) => ({ ...point, score: 4.2, level: 5 })),
  trades: [{ timestamp: AT + 400_000, symbol: EVIL, id: 7, price: 1, volume: 2, side: 'buy' as const }],
  features: [
    {
      name: 'log_return_5s',
      at: [AT + 200_000, AT + 400_000],
      value: [0, 0.0123],
      low: [-0.001, -0.001],
      high: [0.001, 0.001],
    },
    { name: EVIL, at: [], value: [], low: [], high: [] },
  ],
  forest: [{ feature: EVIL, share: 0.5 }],
};

test('an explanation is whole, alone and on its page, also where there is little to show', () => {
  const bare = { ...explanation, seconds: [], trades: [], features: [], forest: [], story: [] };
  for (const some of [explanation, bare, { ...bare, seconds: explanation.seconds.slice(0, 1) }]) {
    const picture = explanationSvg(some);
    assertWhole(picture);
    assert.ok(!/NaN|Infinity|undefined/.test(picture), picture.slice(0, 3000));
    const own = explanationPage({ ...some, verdict: `as recorded ${EVIL}` });
    assertWhole(own.replace('<!doctype html>', ''), ['meta', 'link']);
    assert.ok(!/<script|<img|url\(|@import/i.test(own));
  }
  assert.match(explanationSvg(explanation), /log_return_5s · then 1\.2 % · usual -0\.1 % to 0\.1 %/);
});

test('axes have round ticks, and words that tell them apart', () => {
  assert.deepEqual(
    ticks(0.337, 0.3412, 5).map((value) => priceText(value, 0.001)),
    ['0.337', '0.338', '0.339', '0.340', '0.341'],
  );
  assert.deepEqual(ticks(5, 5, 4), [5]);
  assert.deepEqual(
    timeTicks(Date.UTC(2025, 9, 10, 22), Date.UTC(2025, 9, 11, 2), 4).map(({ text }) => text),
    ['10 Oct 22:00', '23:00', '11 Oct 00:00', '01:00', '02:00'],
  );
  assert.deepEqual([0, 0.00012345, 12.345, 4567, 45678, 1.23e7].map(short), [
    '0',
    '0.000123',
    '12.3',
    '4567',
    '45.7 k',
    '12.3 M',
  ]);
  assert.equal(featureText('log_return_5s', -0.0123), '-1.2 %');
});
