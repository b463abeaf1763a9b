/** What is not the market's doing raises no alert of the market: history, gaps, duplicates, a symbol's first hour. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../../src/market/random.ts';
import type { Anomaly, TapeRecord } from '../../src/market/records.ts';
import { DEFAULT_MODEL, loadArtefact, settingsId } from '../../src/model/artefact-file.ts';
import { TapeDetector } from '../../src/pipeline/tape-detector.ts';

const settings = { budget: 1, close_after_s: 600, rules: [] };
const policy = { artefact: loadArtefact(DEFAULT_MODEL), settings, settingsId: settingsId(settings) };
const START = 1_760_000_400_000;
const symbol = 'BTCUSDT';

function detect(tape: Iterable<TapeRecord>): Anomaly[] {
  const anomalies: Anomaly[] = [];
  const detector = new TapeDetector({
    policy,
    output: { anomaly: (anomaly) => anomalies.push(anomaly), bar: () => undefined },
  });
  for (const record of tape) detector.push(record);
  return anomalies;
}

/** Steady trades, about one a second. */
function* steady(seconds: number, fromId = 1, from = START): Generator<TapeRecord> {
  const random = new Random(3);
  for (let i = 0; i < seconds; i++) {
    const side = random.next() < 0.5 ? 'buy' : 'sell';
    yield {
      timestamp: from + i * 1000 + random.next() * 900,
      symbol,
      id: fromId + i,
      price: 100 + Math.round(random.next() * 2) / 100,
      volume: 1 + random.next(),
      side,
    };
  }
}

test('history with bursts and hours of silence in it', () => {
  const bars = [...steady(7000)].map((_, i): TapeRecord => {
    const timestamp = START + (i < 5000 ? i : i + 3000) * 1000;
    const size = i % 1000 < 10 ? 500 : 1;
    return {
      type: 'bar',
      symbol,
      timestamp,
      open: 100,
      high: 101,
      low: 99,
      close: 100 + size / 100,
      volume: size,
      quoteVolume: 100 * size,
      trades: size,
      takerBuyVolume: size,
    };
  });
  assert.deepEqual(detect(bars), []);
});

test('a symbol’s first hour, whatever happens in it', () => {
  const burst = [...steady(40, 2001, START + 2_000_000)].map(
    (record, i) => ({ ...record, price: 100 + i, volume: 900 }) as TapeRecord,
  );
  assert.deepEqual(detect([...steady(2000), ...burst]), []);
});

test('a long gap is a data fault and nothing else', () => {
  const after = START + 9_000_000;
  const gap: TapeRecord = { type: 'gap', symbol, timestamp: after, first: 4001, last: 9000, reason: 'repair_limit' };
  const anomalies = detect([...steady(4000), gap, ...steady(3000, 9001, after)]);
  assert.deepEqual([...new Set(anomalies.map(({ kind }) => kind))], ['data_fault']);
});

test('every trade twice gives what every trade once gives', () => {
  const once = [...steady(5000)];
  assert.deepEqual(detect(once.flatMap((record) => [record, record])), detect(once));
});
