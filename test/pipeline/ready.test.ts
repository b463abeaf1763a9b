/** A detector that says it is ready before its state is there would be given work, and its neighbour taken away. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { policyOf } from '../../src/commands/policy.ts';
import { openEmbeddedLog } from '../../src/event-log/embedded/embedded-log.ts';
import type { EventLog } from '../../src/event-log/event-log.ts';
import { topicNames, topicSpecs } from '../../src/event-log/topics.ts';
import { encodeTrade } from '../../src/market/codec.ts';
import { ModelRegistry } from '../../src/model/registry.ts';
import { DetectionService } from '../../src/pipeline/detection-service.ts';
import { tapeOf } from '../kafka/tape.ts';

const TRADES = 300;
const topics = topicNames('');

function service(log: EventLog, events: ConstructorParameters<typeof DetectionService>[0]['events']): DetectionService {
  const policies = new ModelRegistry(log, topics.models);
  return new DetectionService({ log, topics, group: 'detect', policy: policyOf({}), policies, now: Date.now, events });
}

test('a detector is ready while it has partitions and their state, and not before nor after', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'tapewatch-ready-'));
  const log = await openEmbeddedLog({ dir, now: Date.now });
  t.after(async () => {
    await log.close();
    rmSync(dir, { recursive: true });
  });
  await log.ensureTopics(topicSpecs({ prefix: '', partitions: 1, retentionMs: null }));
  const tape = tapeOf({ seed: 1, symbols: 1, trades: TRADES });
  await log.append(
    tape.map((trade) => ({ topic: topics.trades, key: trade.symbol, value: Buffer.from(encodeTrade(trade)) })),
  );
  const first = new AbortController();
  let scored = 0;
  const before = service(log, {
    batch: (trades) => {
      scored += trades;
      if (scored === tape.length) first.abort();
    },
  });
  await before.run(first.signal);
  assert.equal(before.isReady, false, 'it has left');

  const told: string[] = [];
  const { promise: opened, resolve: open } = Promise.withResolvers<void>();
  const { promise: asked, resolve: ask } = Promise.withResolvers<void>();
  const slow: EventLog = Object.assign(Object.create(log) as EventLog, {
    join: (options) => log.join(options),
    bounds: (topic, partition) => log.bounds(topic, partition),
    read: (...args) => log.read(...args),
    partitions: (topic) => log.partitions(topic),
    async *latest(topic, partition) {
      ask();
      await opened;
      yield* log.latest(topic, partition);
    },
  } satisfies Partial<EventLog>);
  const second = new AbortController();
  const { promise: restored, resolve: done } = Promise.withResolvers<void>();
  const again = service(slow, {
    restoring: (partitions) => {
      told.push(`${partitions} to restore`);
      if (partitions === 0) done();
    },
  });
  assert.equal(again.isReady, false, 'nothing is assigned yet');
  const running = again.run(second.signal);
  await asked;
  assert.deepEqual([again.isReady, told], [false, ['1 to restore']]);
  open();
  await restored;
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual([again.isReady, told], [true, ['1 to restore', '0 to restore']]);
  second.abort();
  await running;
  assert.equal(again.isReady, false);
});
