/** Lines that fit and say what matters: a cut line or a wrong order hides the alert that counts. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Anomaly, Bar } from '../../src/market/records.ts';
import {
  alertLine,
  type IncidentLine,
  incidentLine,
  symbolHead,
  symbolLines,
  withRecord,
} from '../../src/terminal/live-view.ts';
import { COLOURS, PLAIN } from '../../src/terminal/paint.ts';
import type { SymbolView } from '../../src/views/views.ts';

const anomaly: Anomaly = {
  id: 'BTCUSDT:market:7:0',
  symbol: 'BTCUSDT',
  timestamp: Date.UTC(2026, 0, 5, 12, 34, 56),
  kind: 'pump',
  phase: 'open',
  severity: 'critical',
  score: 0.9999,
  return_period_s: 90_000,
  direction: 'up',
  zscore: 9,
  forest: 0.6,
  actual: {},
  expected: {},
  contributions: [],
  summary: 'buyers push the price up together: 5 s volume 17 times the usual, price +2.2 %; once in 25 hours',
  evidence: { firstTradeId: 6, lastTradeId: 7, model: 'm', settings: 's', detector: '1' },
};

const ESCAPE = String.fromCharCode(27);
const bare = (text: string): string => text.replaceAll(new RegExp(`${ESCAPE}\\[\\d+m`, 'g'), '');

function view(symbol: string, score: number, price = 100): SymbolView {
  const bar = { symbol, timestamp: 60_000, open: 99, high: 101, low: 98, close: price, score, level: 5 } as Bar;
  return { symbol, price, timestamp: 60_000, score, level: 5, halted: false, bars: [bar], trades: [] };
}

test('an alert says when, where, what, how bad and how rare, and says no more than fits', () => {
  assert.equal(
    alertLine(anomaly, PLAIN, Number.POSITIVE_INFINITY),
    '12:34:56  ▲ BTCUSDT    Pump           critical 5 s volume 17×, price +2.2 %; once in 25 h',
  );
  for (const width of [60, 72, 99, 100, 140])
    for (const paint of [PLAIN, COLOURS])
      for (const phase of ['open', 'escalate', 'update', 'close'] as const)
        assert.ok(bare(alertLine({ ...anomaly, phase }, paint, width)).length <= width, `${width} columns`);
});

test('without room and without colour a line still says how bad and how rare before it is cut', () => {
  const line = alertLine(anomaly, PLAIN, 66);
  assert.match(line, /^12:34:56 !! ▲ BTCUSDT {3}Pump {11}once in 25 h; 5 s vol/);
  assert.ok(line.endsWith('…'));
  assert.match(alertLine({ ...anomaly, severity: 'warning' }, PLAIN, 80), /^12:34:56 {2}! ▲/);
});

test('prices keep their decimals, and a change that rounds to nothing has neither sign nor colour', () => {
  const green = `${ESCAPE}[32m`;
  const [line] = symbolLines([view('A', 1, 4122)], COLOURS, 1, 80);
  assert.match(bare(line!), /^A +4122\.00 +\+4063\.64 %/);
  assert.ok(line!.includes(green));
  const [still] = symbolLines([view('A', 1, 99.001)], COLOURS, 1, 80);
  assert.match(bare(still!), / 0\.00 %/);
  assert.ok(!still!.includes(green));
});

test('without colour there is no escape in any line', () => {
  const lines = [
    alertLine(anomaly, PLAIN, 120),
    symbolHead(PLAIN, 120),
    ...symbolLines([view('A', 6), view('B', 1)], PLAIN, 9, 120),
  ];
  assert.ok(lines.every((line) => !line.includes(ESCAPE)));
});

test('the oddest symbol stands first, and lines fit a narrow and a wide terminal', () => {
  const symbols = [view('CALM', 0), view('ODDEST', 6, 112_345.67), view('ODD', 4.5)];
  for (const width of [72, 120]) {
    const lines = symbolLines(symbols, COLOURS, 2, width).map(bare);
    assert.deepEqual(
      lines.map((line) => line.split(' ')[0]),
      ['ODDEST', 'ODD'],
    );
    assert.ok(lines.every((line) => line.length <= width));
  }
});

test('how rare is said of the same moment as how odd: the oddest of the last half minute', () => {
  const calm = view('A', 2);
  const [bar] = calm.bars;
  const bars = [0, 31, 40].map((second, i) => ({ ...bar!, timestamp: second * 1000, score: [6, 5, 3][i]! }));
  const [line] = symbolLines([{ ...calm, bars: [...bars, bar!] }], PLAIN, 1, 80);
  assert.match(line!, /█{10} {2}28h /);
});

test('an incident is one line: its worst record, from when it opened, dimmed when it is over', () => {
  const notice = { ...anomaly, severity: 'notice' as const };
  const worse = {
    ...anomaly,
    id: 'BTCUSDT:market:7:1',
    phase: 'escalate' as const,
    timestamp: anomaly.timestamp + 9000,
  };
  const over = { ...notice, id: 'BTCUSDT:market:7:2', phase: 'close' as const, summary: 'over' };
  const other = { ...notice, id: 'ETHUSDT:market:1:0', symbol: 'ETHUSDT' };
  let incidents: readonly IncidentLine[] = [];
  for (const record of [notice, other, worse, over]) incidents = withRecord(incidents, record, 5);
  assert.deepEqual(
    incidents.map(({ worst, isOver }) => [worst.symbol, worst.severity, isOver]),
    [
      ['ETHUSDT', 'notice', false],
      ['BTCUSDT', 'critical', true],
    ],
  );
  assert.match(incidentLine(incidents[1]!, PLAIN, 120), /^12:34:56 .*BTCUSDT/);
});
