/** One cascade is one story with its members, and what only looks like one is none. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { marketMoves } from '../../src/market/market-move.ts';
import type { Anomaly } from '../../src/market/records.ts';

const AT = 1_760_000_000_000;

function record(symbol: string, second: number, rest: Partial<Anomaly> = {}): Anomaly {
  const id = `${symbol}:market:${second}:0`;
  const fields = { phase: 'open', direction: 'down', severity: 'notice', kind: 'dump', ...rest };
  return { id, symbol, timestamp: AT + second * 1000, ...fields } as Anomaly;
}

const symbols = (count: number): string[] => Array.from({ length: count }, (_, i) => `S${i}`);

test('five symbols falling within half a minute of each other are one move, as grave as its gravest', () => {
  const cascade = [
    ...symbols(5).map((symbol, i) => record(symbol, 29 * i)),
    record('S0', 130, { phase: 'escalate', severity: 'critical' }),
    record('S5', 200),
  ];
  const [move, ...others] = marketMoves(cascade, 10);
  assert.deepEqual(others, []);
  assert.deepEqual(move!.symbols, symbols(5));
  assert.deepEqual([move!.from, move!.to], [AT, AT + 130_000]);
  assert.equal(move!.severity, 'critical');
  assert.equal(move!.members.length, 6);
});

test('too few for the watch list, apart in time, against each other, closing, or faults of the data are none', () => {
  const five = symbols(5);
  assert.deepEqual(
    marketMoves(
      five.map((symbol, i) => record(symbol, i)),
      26,
    ),
    [],
  );
  assert.deepEqual(
    marketMoves(
      five.map((symbol, i) => record(symbol, 31 * i)),
      10,
    ),
    [],
  );
  const against = five.map((symbol, i) => record(symbol, i, { direction: i % 2 ? 'up' : 'down' }));
  assert.deepEqual(marketMoves(against, 10), []);
  assert.deepEqual(
    marketMoves(
      five.map((symbol, i) => record(symbol, i, { phase: 'close' })),
      10,
    ),
    [],
  );
  assert.deepEqual(
    marketMoves(
      five.map((symbol, i) => record(symbol, i, { id: `${symbol}:data:1:0` })),
      10,
    ),
    [],
  );
  assert.deepEqual(
    marketMoves(
      Array.from({ length: 9 }, (_, i) => record('S0', i)),
      1,
    ),
    [],
  );
});

test('two cascades are two moves', () => {
  const twice = [0, 600].flatMap((start) => symbols(6).map((symbol, i) => record(symbol, start + i)));
  assert.equal(marketMoves(twice, 6).length, 2);
});
