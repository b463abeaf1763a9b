/**
 * What @platformatic/kafka 2.12.1 makes of a group's coordinator that is elsewhere, and of leaders that part, on three
 * brokers of which one is killed; and what the log does instead. The numbers go on from client-defects.test.ts.
 */
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { Admin, Consumer, type Message, Producer } from '@platformatic/kafka';
import { idsOf } from '../../src/event-log/kafka/errors.ts';
import { type KafkaLog, openKafkaLog } from '../../src/event-log/kafka/kafka-log.ts';
import { type Cluster, noCluster, ready, startCluster } from './broker.ts';

const skip = noCluster() ?? false;
const prefix = 'leaders.';
let cluster: Cluster;
let log: KafkaLog;
let base: { bootstrapBrokers: string[]; clientId: string; retries: number; retryDelay: number };

before(async () => {
  if (skip) return;
  cluster = await startCluster({ nodes: 3, heap: '300m' });
  base = { bootstrapBrokers: [...cluster.brokers], clientId: 'leaders', retries: 5, retryDelay: 100 };
  log = await openKafkaLog({ brokers: cluster.brokers, clientId: 'leaders', prefix, sessionMs: 6000 });
  await log.ensureTopics([{ name: 'in', partitions: 1, cleanup: 'delete', retentionMs: null }]);
});

afterEach(async () => {
  for (const node of cluster?.nodes ?? []) if (!node.process) node.start();
  if (!skip) await ready(cluster.brokers, 3);
});

after(async () => {
  if (skip) return;
  await log.close();
  await cluster.stop();
});

function groupMember(group: string): Consumer {
  return new Consumer({ ...base, groupId: prefix + group, autocommit: false });
}

/** A group whose coordinator is that broker. */
async function groupAt(node: number): Promise<string> {
  for (let i = 0; i < 50; i++) {
    const consumer = groupMember(`at-${i}`);
    const found = await consumer.findGroupCoordinator();
    await consumer.close(true);
    if (found === node) return `at-${i}`;
  }
  throw new Error(`Broker ${node} coordinates none of 50 groups.`);
}

test('11: offsets go where a message says, be the coordinator there or not', { skip }, async () => {
  const consumer = groupMember('elsewhere');
  consumer.topics.track(`${prefix}in`);
  await consumer.joinGroup({});
  const { groupId, memberId, generationId } = consumer;
  const at = await consumer.findGroupCoordinator();
  for (const [coordinatorId, isThere] of [
    [(at % 3) + 1, false],
    [at, true],
  ] as const) {
    const own = { idempotent: true, transactionalId: `${prefix}elsewhere`, producerId: -1n, producerEpoch: -1 };
    const producer = new Producer({ ...base, ...own, timeout: 10_000 });
    const transaction = await producer.beginTransaction();
    await transaction.addConsumer(consumer);
    const metadata = { consumer: { groupId, memberId, generationId, coordinatorId } };
    const message = { topic: `${prefix}in`, partition: 0, offset: 6n, metadata } as unknown as Message;
    const adding = transaction.addOffset(message);
    if (isThere) {
      await adding;
      await transaction.commit();
    } else await assert.rejects(adding, (error) => idsOf(error).has('NOT_COORDINATOR'));
    await producer.close(true);
  }
  assert.equal(await log.committed('elsewhere', 'in', 0), 7);
  await consumer.close(true);
});

test('11: a step comes through though its coordinator dies', { skip }, async () => {
  const [doomed] = cluster.nodes;
  const group = await groupAt(doomed!.id);
  const member = await log.join({ group, topic: 'in', read: false });
  await member.next();
  await member.commit([], [{ topic: 'in', partition: 0, offset: 1 }]);
  await doomed!.kill();
  await member.commit([], [{ topic: 'in', partition: 0, offset: 2 }]);
  assert.equal(await log.committed(group, 'in', 0), 2);
  const consumer = groupMember(group);
  assert.notEqual(await consumer.findGroupCoordinator(), doomed!.id);
  await consumer.close(true);
  await member.leave();
});

test('what is sent together fails when its leaders part; what the log appends does not', { skip }, async () => {
  const admin = new Admin(base);
  // One leader for both, and another heir for each.
  const assignments = [
    { partition: 0, brokers: [1, 2, 3] },
    { partition: 1, brokers: [1, 3, 2] },
  ];
  await admin.createTopics({ topics: [{ topic: `${prefix}parting`, assignments }] });
  await admin.close();
  const plain = new Producer({ ...base, idempotent: true, producerId: -1n, producerEpoch: -1 });
  const messages = (word: string) =>
    [0, 1].map((partition) => ({ topic: `${prefix}parting`, partition, value: Buffer.from(word) }));
  const records = (word: string) =>
    [0, 1].map((partition) => ({ topic: 'parting', key: null, value: Buffer.from(word), partition }));
  await plain.send({ messages: messages('plain before') });
  await log.append(records('log before'));
  await cluster.nodes[0]!.kill();
  await Promise.all([
    assert.rejects(plain.send({ messages: messages('plain after') }), 'the client now follows each leader'),
    log.append(records('log after')),
  ]);
  await plain.close(true);
  for (const partition of [0, 1]) {
    const words: string[] = [];
    for (let from = 0; ; ) {
      const { records: found, next } = await log.read('parting', partition, from);
      if (found.length === 0) break;
      words.push(...found.map(({ value }) => String(value)));
      from = next;
    }
    assert.deepEqual(
      words.filter((word) => word.startsWith('log')),
      ['log before', 'log after'],
    );
  }
});
