/** What the chart and the tape are drawn from: a bar counted twice, or an order torn in two, shows a market that was not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CandleRow } from '../../dashboard/src/candles.ts';
import { OrderTape } from '../../dashboard/src/orders.ts';
import { featureRange, featureWords, price, short } from '../../dashboard/src/words.ts';
import type { Bar, Trade } from '../../src/market/records.ts';

const bar = (second: number, close: number, more: Partial<Bar> = {}): Bar => ({
  symbol: 'A',
  timestamp: second * 1000,
  open: close,
  high: close + 1,
  low: close - 1,
  close,
  volume: 1,
  quoteVolume: close,
  trades: 2,
  takerBuyVolume: 0.5,
  score: close,
  level: 5,
  ...more,
});

const trade = (id: number, timestamp: number, more: Partial<Trade> = {}): Trade => ({
  symbol: 'A',
  id,
  timestamp,
  price: 10,
  volume: 1,
  side: 'buy',
  ...more,
});

test('seconds become candles; one that comes twice is counted once', () => {
  const row = new CandleRow(5);
  row.set([bar(100, 1), bar(101, 3), bar(104, 2)]);
  row.take(bar(104, 2));
  row.take(bar(103, 9));
  assert.equal(row.length, 1);
  const candle = row.at(0)!;
  assert.deepEqual(
    [candle.open, candle.high, candle.low, candle.close, candle.volume, candle.score],
    [1, 4, 0, 2, 3, 3],
  );
  row.take(bar(105, 7));
  assert.deepEqual(
    row.all().map(({ time }) => time),
    [100, 105],
  );
});

test('older candles go in front, and those known already are not added again', () => {
  const row = new CandleRow(5);
  row.set([bar(100, 1), bar(105, 2)]);
  assert.equal(row.prepend([bar(90, 4), bar(95, 5), bar(100, 6)]), 2);
  assert.deepEqual(
    row.all().map(({ time, close }) => [time, close]),
    [
      [90, 4],
      [95, 5],
      [100, 1],
      [105, 2],
    ],
  );
  assert.equal(row.nearest(103), 100);
  assert.equal(row.nearest(80), null);
  assert.equal(row.indexOf(95), 1);
});

test('where nothing traded the candles that are missing are known', () => {
  const row = new CandleRow(5);
  row.set([bar(100, 1), bar(106, 1), bar(123, 2)]);
  assert.deepEqual(row.pauses(), [110, 115]);
});

test('trades move the running candle’s price, but only those after the seconds it holds', () => {
  const row = new CandleRow(60);
  row.set([bar(120, 10), bar(121, 10)]);
  assert.equal(row.takeTrades([trade(1, 121_500, { price: 99 })]), null);
  const moved = row.takeTrades([trade(2, 122_100, { price: 13 }), trade(3, 122_200, { price: 12 })])!;
  assert.deepEqual([moved.high, moved.close, moved.volume], [13, 12, 2]);
});

test('fills of one taker order are one line, newest first; a trade that comes twice is one', () => {
  const tape = new OrderTape(10);
  tape.take([trade(1, 5), trade(2, 5, { price: 11 }), trade(3, 5, { side: 'sell' }), trade(4, 6)]);
  tape.take([trade(4, 6), trade(5, 6)]);
  assert.deepEqual(
    tape.orders().map(({ fills, side, value }) => [fills, side, value]),
    [
      [2, 'buy', 20],
      [1, 'sell', 10],
      [2, 'buy', 21],
    ],
  );
});

test('a large order is large against those before it', () => {
  const tape = new OrderTape(300);
  tape.take(Array.from({ length: 200 }, (_, i) => trade(i, i * 10, { volume: 1 + (i % 10) })));
  tape.take([trade(500, 9000, { volume: 500 }), trade(501, 9001, { volume: 2 })]);
  const [usual, large] = tape.orders();
  assert.equal(tape.sizeOf(large!), 2);
  assert.equal(tape.sizeOf(usual!), 0);
});

test('numbers read at a glance, a feature in words with its unit', () => {
  assert.deepEqual([0.01234, 5, 12.34, 9999, 12_345, 8_123_456, 2e9].map(short), [
    '0.012',
    '5',
    '12.3',
    '9999',
    '12.3k',
    '8.12M',
    '2B',
  ]);
  assert.equal(price(112_345.6, 2), '112,345.60');
  const { name, unit, window_s } = featureWords('quote_volume_5s');
  assert.deepEqual([name, unit, window_s], ['Traded value', 'quote', 5]);
  assert.equal(featureRange([21_000, 310_000], unit, 'BTCUSDT'), '21k to 310k USDT');
  assert.equal(featureWords('something_new_60s').name, 'Something new');
});
