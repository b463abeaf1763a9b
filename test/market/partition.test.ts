import assert from 'node:assert/strict';
import { test } from 'node:test';
import { murmur2, partitionOf } from '../../src/market/partition.ts';

test('murmur2 is Kafka’s, or captures and other clients would disagree on who owns a symbol', () => {
  // The table of org.apache.kafka.common.utils.UtilsTest.testMurmur2.
  const table: readonly (readonly [string, number])[] = [
    ['21', -973932308],
    ['foobar', -790332482],
    ['a-little-bit-long-string', -985981536],
    ['a-little-bit-longer-string', -1486304829],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
    ['abc', 479470107],
  ];
  for (const [text, hash] of table) assert.equal(murmur2(new TextEncoder().encode(text)), hash, text);
  assert.ok(partitionOf('BTCUSDT', 12) < 12);
});
