/** `tapewatch topics` on the real broker: what it makes, and what it says of topics that are not as wanted. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { after, before, test } from 'node:test';
import { Admin, ConfigResourceTypes, IncrementalAlterConfigOperationTypes } from '@platformatic/kafka';
import { topicNames } from '../../src/event-log/topics.ts';
import { type Cluster, noBroker, someBroker } from './broker.ts';
import { BIN } from './fleet.ts';

const skip = noBroker() ?? false;
const prefix = `topics-${process.pid}.`;
const PARTITIONS = 5;
const HOUR_MS = 3_600_000;
const names = topicNames(prefix);
let cluster: Cluster;
let admin: Admin;

before(async () => {
  if (skip) return;
  cluster = await someBroker();
  admin = new Admin({ clientId: 'topics', bootstrapBrokers: [...cluster.brokers] });
});

after(async () => {
  await admin?.close();
  await cluster?.stop();
});

function run(command: string, ...args: string[]) {
  return spawnSync(process.execPath, [BIN, command, '--kafka-prefix', prefix, ...args], {
    encoding: 'utf8',
    timeout: 60_000,
    env: { ...process.env, TAPEWATCH_KAFKA: cluster.brokers.join(',') },
  });
}

const topics = (...args: string[]) => run('topics', '--partitions', String(PARTITIONS), '--retention', '48', ...args);

async function configOf(topic: string): Promise<Readonly<Record<string, string | null>>> {
  const resources = [{ resourceType: ConfigResourceTypes.TOPIC, resourceName: topic }];
  const [found] = await admin.describeConfigs({ resources });
  return Object.fromEntries(found!.configs.map(({ name, value }) => [name, value ?? null]));
}

function set(topic: string, name: string, value: string): Promise<void> {
  const configs = [{ name, value, configOperation: IncrementalAlterConfigOperationTypes.SET }];
  return admin.incrementalAlterConfigs({
    resources: [{ resourceType: ConfigResourceTypes.TOPIC, resourceName: topic, configs }],
  });
}

test('topics makes them as the design has them, and finds nothing to say of its own', { skip }, async () => {
  for (const round of [1, 2]) {
    const { status, stderr } = topics();
    assert.equal(status, 0, `round ${round}: ${stderr}`);
  }
  const { topics: found } = await admin.metadata({ topics: Object.values(names) });
  const partitions = Object.fromEntries([...found].map(([name, { partitionsCount }]) => [name, partitionsCount]));
  assert.deepEqual(partitions, {
    ...Object.fromEntries(Object.values(names).map((name) => [name, 1])),
    ...Object.fromEntries([names.trades, names.bars, names.detectorState, names.evidence].map((n) => [n, PARTITIONS])),
  });
  for (const topic of [names.trades, names.bars, names.deadLetters]) {
    const { 'cleanup.policy': cleanup, 'retention.ms': retention } = await configOf(topic);
    assert.deepEqual([cleanup, retention], ['delete', String(48 * HOUR_MS)], topic);
  }
  for (const topic of [names.anomalies, names.evidence]) {
    const { 'cleanup.policy': cleanup, 'retention.ms': retention } = await configOf(topic);
    assert.deepEqual([cleanup, retention], ['delete', '-1'], topic);
  }
  for (const topic of [names.detectorState, names.models, names.annotations]) {
    const config = await configOf(topic);
    assert.equal(config['cleanup.policy'], 'compact', topic);
    // Read whole at every restore: what is outdated must go soon, whatever the history.
    assert.ok(Number(config['segment.bytes']) <= 16 << 20, topic);
    assert.ok(Number(config['segment.ms']) <= 60_000, topic);
    assert.ok(Number(config['min.cleanable.dirty.ratio']) <= 0.1, topic);
    assert.ok(Number(config['max.compaction.lag.ms']) <= 60_000, topic);
  }
});

test('a topic that can be put right is named with what is there, what is wanted and how', { skip }, async () => {
  await set(names.trades, 'retention.ms', '1000');
  await set(names.detectorState, 'segment.bytes', String(1 << 30));
  const { status, stderr } = topics();
  assert.equal(status, 2, stderr);
  assert.match(
    stderr,
    new RegExp(`Topic ${names.trades} keeps records \\(retention.ms\\) for 1000, wanted is ${48 * HOUR_MS}. Set it`),
  );
  assert.match(stderr, new RegExp(`Topic ${names.detectorState} has segments .* of ${1 << 30}, wanted is 16777216`));
  await set(names.trades, 'retention.ms', String(48 * HOUR_MS));
  await set(names.detectorState, 'segment.bytes', String(16 << 20));
  assert.equal(topics().status, 0);
});

test('other partitions, and another cleanup, are refused by every command', { skip }, async () => {
  const more = run('topics', '--partitions', '7', '--retention', '48');
  assert.equal(more.status, 2, more.stderr);
  assert.match(more.stderr, new RegExp(`Topic ${names.trades} has 5 partitions, wanted are 7.*--partitions 5`));
  await set(names.detectorState, 'cleanup.policy', 'delete');
  for (const refused of [topics(), run('detect', '--port', '0')]) {
    assert.equal(refused.status, 2, refused.stderr);
    assert.match(
      refused.stderr,
      new RegExp(`Topic ${names.detectorState} is cleaned up by "delete", wanted is "compact"`),
    );
  }
  await set(names.detectorState, 'cleanup.policy', 'compact');
});

test('fewer replicas than asked for are told', { skip }, async () => {
  const { brokers } = await admin.metadata({ topics: [] });
  const wanted = brokers.size + 1;
  const { status, stderr } = topics('--kafka-replication', String(wanted));
  assert.equal(status, 2, stderr);
  assert.match(stderr, new RegExp(`Topic ${names.trades} has \\d replicas, wanted are ${wanted}. Add replicas`));
});
