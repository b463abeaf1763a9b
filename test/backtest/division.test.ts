/** A backtest divided among threads gives the bytes of one thread, whatever stands on the tape. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { backtest } from '../../src/backtest/backtest.ts';
import { divide } from '../../src/backtest/division.ts';
import { encodeAnomaly } from '../../src/market/codec.ts';
import type { TapeRecord, Trade } from '../../src/market/records.ts';
import { DEFAULT_MODEL, loadArtefact, settingsId } from '../../src/model/artefact-file.ts';
import { Market } from '../../src/simulator/market-model.ts';

const policyOf = (budget: number): Parameters<typeof backtest>[0]['policy'] => {
  const settings = { budget, close_after_s: 600, rules: [] };
  return { artefact: loadArtefact(DEFAULT_MODEL), settings, settingsId: settingsId(settings) };
};

/** 130,000 trades of six symbols, one of which comes late, with holes, pauses, heartbeats and a zombie's record. */
function tape(): TapeRecord[][] {
  const market = new Market({ seed: 5, symbols: 6, startMs: 1_767_571_200_000 });
  const late = market.symbols[5]!.name;
  const records: TapeRecord[] = [];
  for (let n = 0; n < 130_000; ) {
    for (const { timeUs, symbol, id, price, volume, side } of market.next(Number.POSITIVE_INFINITY)) {
      n++;
      if (symbol === late && n < 110_000) continue;
      const timestamp = timeUs / 1000;
      if (n % 9973 === 0) {
        records.push({ type: 'gap', symbol, timestamp, first: id, last: id, reason: 'hole', epoch: 2 });
        continue;
      }
      if (n % 40_009 === 0)
        records.push({ type: 'gap', symbol, timestamp, first: null, last: null, reason: 'pause', epoch: 1 });
      if (n % 30_011 === 0)
        records.push({ type: 'gap', symbol, timestamp, first: null, last: null, reason: 'pause', epoch: 2 });
      if (n % 1009 === 0) records.push({ type: 'heartbeat', timestamp: timestamp - 2000 });
      records.push({ timestamp, symbol, id, price: Number(price), volume: Number(volume), side });
    }
  }
  return Array.from({ length: Math.ceil(records.length / 4096) }, (_, i) => records.slice(i * 4096, (i + 1) * 4096));
}

async function* asTape(batches: readonly TapeRecord[][]): AsyncIterable<readonly TapeRecord[]> {
  yield* batches;
}

test('threads change no byte: anomalies, variants, times and pictures', async () => {
  const batches = tape();
  const run = (threads: number): ReturnType<typeof backtest> =>
    backtest({
      tapes: [asTape(batches)],
      policy: policyOf(24),
      variants: [policyOf(4)],
      trace: 'pictures',
      threads,
    });
  const one = await run(1);
  const three = await run(3);
  assert.ok(one.anomalies.length > 20, `only ${one.anomalies.length} anomalies: nothing to compare`);
  assert.ok(one.stretches.some(({ closeUps }) => closeUps.length > 0));
  assert.deepEqual(three.anomalies.map(encodeAnomaly), one.anomalies.map(encodeAnomaly));
  // As text: a difference between two such trees would take minutes to print.
  assert.ok(JSON.stringify(three) === JSON.stringify(one), 'variants, stretches or counts differ');
});

test('symbols are given out by how busy they are, and the thread that reads gets less', () => {
  const trade = (symbol: string): Trade => ({ timestamp: 1, symbol, id: 1, price: 1, volume: 1, side: 'buy' });
  const ahead = [Array.from({ length: 100 }, (_, i) => trade(i < 60 ? 'BUSY' : i < 80 ? 'B' : 'C'))];
  assert.deepEqual(divide(ahead, 2), {
    threads: 2,
    lanes: new Map([
      ['BUSY', 1],
      ['B', 0],
      ['C', 0],
    ]),
  });
  assert.equal(divide([[trade('ONLY')]], 4), null);
});
