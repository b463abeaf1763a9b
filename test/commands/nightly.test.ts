/** Nightly training: without it a model ages; wrongly done it would switch symbols at different trades, or stop the night. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { timeOfDay, trainOnLog } from '../../src/commands/nightly.ts';
import { openEmbeddedLog } from '../../src/event-log/embedded/embedded-log.ts';
import { topicNames, topicSpecs } from '../../src/event-log/topics.ts';
import { decodeTapeRecord, encodeTrade } from '../../src/market/codec.ts';
import { ModelRegistry } from '../../src/model/registry.ts';
import { Market } from '../../src/simulator/market-model.ts';

test('a model of the log is registered and activated in every partition, with the settings in force', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'tapewatch-nightly-'));
  const log = await openEmbeddedLog({ dir, now: Date.now });
  try {
    const topics = topicNames('');
    await log.ensureTopics(topicSpecs({ prefix: '', partitions: 3, retentionMs: 1e12 }));
    const startMs = Date.UTC(2026, 0, 5);
    const market = new Market({ seed: 4, symbols: 4, startMs });
    const trades = [];
    for (let until = startMs; until <= startMs + 3 * 3_600_000; until += 60_000)
      trades.push(...market.next(until, 1e6));
    await log.append([
      { topic: topics.trades, key: null, value: Buffer.from('poison'), partition: 0 },
      ...trades.map((trade) => ({
        topic: topics.trades,
        key: trade.symbol,
        value: Buffer.from(encodeTrade(trade)),
      })),
    ]);
    const registry = new ModelRegistry(log, topics.models);
    const settings = { budget: 7, close_after_s: 600, rules: [] };
    const version = await trainOnLog({ log, topics, registry, settings, signal: new AbortController().signal });
    assert.equal(`${version.name}@${version.version}`, 'nightly@1');
    assert.ok(registry.artefact(version.model)!.provenance.trainedOn.length === 4);
    for (let partition = 0; partition < 3; partition++) {
      const { end } = await log.bounds(topics.trades, partition);
      const { records } = await log.read(topics.trades, partition, end - 1);
      const last = decodeTapeRecord(records.at(-1)!.value!);
      assert.ok('type' in last && last.type === 'activate', `partition ${partition} has its activation`);
      assert.equal(last.model, version.model);
      assert.equal(last.settings!.budget, 7);
    }
  } finally {
    await log.close();
    rmSync(dir, { recursive: true });
  }
});

test('a time that is none is refused before anything starts', () => {
  assert.equal(timeOfDay('03:30'), 12_600_000);
  assert.throws(() => timeOfDay('24:00'), /HH:MM/);
  assert.throws(() => timeOfDay('3'), /HH:MM/);
});
