/** What a process puts in force when it starts, and what was activated meanwhile. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { activeIn, keepInForce } from '../../src/commands/activation.ts';
import { openEmbeddedLog } from '../../src/event-log/embedded/embedded-log.ts';
import type { EventLog } from '../../src/event-log/event-log.ts';
import { topicNames, topicSpecs } from '../../src/event-log/topics.ts';
import { activate } from '../../src/model/activation.ts';
import { DEFAULT_MODEL, readArtefactText } from '../../src/model/artefact-file.ts';
import { ModelRegistry } from '../../src/model/registry.ts';
import { wilderModel } from '../kafka/tape.ts';

const dir = mkdtempSync(join(tmpdir(), 'tapewatch-activation-'));
const topics = topicNames('');
after(() => rmSync(dir, { recursive: true }));

test('what is activated while a process starts is not undone by the defaults that it would put in force', async () => {
  const log = await openEmbeddedLog({ dir: join(dir, 'log'), now: () => 0 });
  await log.ensureTopics(topicSpecs({ prefix: '', partitions: 2, retentionMs: null }));
  const registry = new ModelRegistry(log, topics.models);
  const { model } = await registry.add('wilder', readArtefactText(wilderModel(dir)));
  const settings = { budget: 24, close_after_s: 600, rules: [] };
  let meanwhile = 0;
  // Between its look at the last partition and its own word.
  const slow: EventLog = Object.assign(Object.create(log) as EventLog, {
    partitions: (topic: string) => log.partitions(topic),
    append: (records) => log.append(records),
    bounds: (topic, partition) => log.bounds(topic, partition),
    latest: (topic, partition) => log.latest(topic, partition),
    read: async (topic, partition, from, options) => {
      const found = await log.read(topic, partition, from, options);
      const last = topic === topics.trades && partition === 1 && found.records.length === 0;
      if (last && meanwhile++ === 0) await activate(log, topics, { model, settings });
      return found;
    },
  } satisfies Partial<EventLog>);
  const { policy } = await keepInForce(slow, topics, {});
  assert.ok(meanwhile > 0);
  assert.deepEqual([policy.artefact.id, policy.settings.budget], [model, 24]);
  for (const partition of [0, 1]) assert.equal((await activeIn(log, topics, partition))?.model, model);
  await registry.refresh();
  assert.equal(registry.active?.model, model);
  // And where nobody does, the defaults stand on the tape.
  const other = await openEmbeddedLog({ dir: join(dir, 'other'), now: () => 0 });
  await other.ensureTopics(topicSpecs({ prefix: '', partitions: 1, retentionMs: null }));
  const { registry: shipped } = await keepInForce(other, topics, {});
  await shipped.refresh();
  assert.equal(shipped.active?.model, shipped.find('default'));
  assert.equal(await shipped.text(shipped.active!.model), readArtefactText(DEFAULT_MODEL));
  await Promise.all([log.close(), other.close()]);
});
