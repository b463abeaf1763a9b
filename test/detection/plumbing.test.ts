/** What is not the market's doing raises no alert of the market: history, gaps, repairs, clocks, flat data, ping-pong. */
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

/** Trades of the market lane's own: everything but the data faults. */
function ofMarket(anomalies: readonly Anomaly[]): Anomaly[] {
  return anomalies.filter(({ kind }) => kind !== 'data_fault');
}

function trade(id: number, timestamp: number, over: Partial<Extract<TapeRecord, { price: number }>> = {}): TapeRecord {
  return { timestamp, symbol, id, price: 100, volume: 1, side: id % 2 === 0 ? 'buy' : 'sell', ...over };
}

test('a clock that goes back by a minute is a data fault, not a burst', () => {
  const before = [...steady(5000)];
  const after = [...steady(3000, 5001, START + 5_000_000 - 60_000)];
  const anomalies = detect([...before, ...after]);
  assert.deepEqual(ofMarket(anomalies), []);
  assert.ok(anomalies.some(({ kind, phase }) => kind === 'data_fault' && phase === 'open'));
});

test('repaired trades that follow a lost connection are trades like all others', () => {
  const tape = [...steady(8000)];
  const lost: TapeRecord = { type: 'status', symbol, timestamp: START + 5_000_000, status: 'lost' };
  const connected: TapeRecord = { type: 'status', symbol, timestamp: START + 5_090_000, status: 'connected' };
  assert.deepEqual(detect([...tape.slice(0, 5000), lost, connected, ...tape.slice(5000)]), detect(tape));
});

test('a symbol that always trades the same size at the same price every second', () => {
  const flat = Array.from({ length: 9000 }, (_, i) => trade(i + 1, START + i * 1000, { side: 'buy' }));
  const once = flat.map((record, i) => (i === 8000 ? trade(8001, START + 7_999_500, { side: 'buy' }) : record));
  assert.deepEqual(ofMarket(detect(flat)), []);
  assert.deepEqual(ofMarket(detect(once)), []);
});

test('a price that hops across a spread of one tick, however often', () => {
  const random = new Random(5);
  let at = START;
  const tape = Array.from({ length: 12_000 }, (_, i) => {
    at += -Math.log(1 - random.next()) * 800;
    const side = random.next() < 0.5 ? 'buy' : 'sell';
    return trade(i + 1, at, { side, price: side === 'buy' ? 100.01 : 100, volume: 0.5 + random.next() });
  });
  assert.deepEqual(ofMarket(detect(tape)), []);
});

test('a halt and what comes after it', () => {
  const halted: TapeRecord = { type: 'status', symbol, timestamp: START + 5_000_500, status: 'halted' };
  const resumed: TapeRecord = { type: 'status', symbol, timestamp: START + 8_600_000, status: 'resumed' };
  const after = [...steady(3000, 5001, START + 8_600_000)];
  assert.deepEqual(ofMarket(detect([...steady(5000), halted, resumed, ...after])), []);
});
