/** Rows of the watch list over time: a page that stays open all day must not go on counting from when it was opened. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  change,
  isIncomplete,
  load,
  renew,
  rows,
  STEPS,
  takeBar,
  type WatchAnswer,
} from '../../dashboard/src/market.ts';

const MINUTE_MS = 60_000;
const start = Date.UTC(2026, 0, 5, 12);

const answer = (now: number, reference: number, alerts: number): WatchAnswer => ({
  now,
  items: [
    {
      ...{ symbol: 'A', price: 100, timestamp: now, score: 1, level: 5, halted: false, reference, alerts },
      closes: Array.from({ length: STEPS }, () => 100),
      peaks: Array.from({ length: STEPS }, () => 0),
    },
  ],
});

test('the change and the alerts of an hour follow the hour, and leave what is live as it is', () => {
  load(answer(start, 100, 3));
  const bar = { symbol: 'A', open: 100, high: 121, low: 100, close: 121, volume: 1, quoteVolume: 100, trades: 1 };
  takeBar({ ...bar, timestamp: start + MINUTE_MS, takerBuyVolume: 1, score: 2, level: 5 });
  const row = rows.get('A')!;
  const { version, closes } = row;
  assert.equal(change(row).toFixed(3), '0.210');
  renew(answer(start + MINUTE_MS, 110, 1));
  assert.equal(change(row).toFixed(3), '0.100');
  assert.equal(row.alerts, 1);
  assert.equal(row.price, 121);
  assert.equal(row.closes, closes);
  assert.notEqual(row.version, version, 'the row is not drawn again');
});

test('a symbol that begins to trade after the first answer is asked for, until an answer has its past', () => {
  load(answer(start, 100, 0));
  const bar = { open: 1, high: 1, low: 1, close: 1, volume: 1, quoteVolume: 1, trades: 1, takerBuyVolume: 1 };
  takeBar({ ...bar, symbol: 'A', timestamp: start, score: 0, level: 5 });
  assert.equal(isIncomplete.value, false);
  takeBar({ ...bar, symbol: 'NEW', timestamp: start, score: 0, level: 5 });
  assert.equal(isIncomplete.value, true);
  load({ ...answer(start, 100, 0), items: [{ ...answer(start, 100, 0).items[0]!, symbol: 'NEW' }] });
  assert.equal(isIncomplete.value, false);
});
