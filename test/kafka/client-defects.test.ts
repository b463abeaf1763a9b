/**
 * What @platformatic/kafka 2.12.1 does wrong or otherwise than one would think, each with the way around it, on the real
 * broker. A test that fails after an upgrade says that a defect is gone (its way around may go too) or a way is broken.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { Admin, Consumer, type Message, Producer } from '@platformatic/kafka';
import { idsOf } from '../../src/event-log/kafka/errors.ts';
import { type KafkaLog, openKafkaLog } from '../../src/event-log/kafka/kafka-log.ts';
import { Offsets } from '../../src/event-log/kafka/offsets.ts';
import { processClock } from '../../src/transport/network.ts';
import { type Cluster, noBroker, someBroker } from './broker.ts';

const skip = noBroker();
const prefix = `defects-${process.pid}.`;
let cluster: Cluster;
let log: KafkaLog;
let base: { bootstrapBrokers: string[]; clientId: string; retries: number; retryDelay: number };

before(async () => {
  if (skip) return;
  cluster = await someBroker();
  base = { bootstrapBrokers: [...cluster.brokers], clientId: 'defects', retries: 3, retryDelay: 50 };
  log = await openKafkaLog({ brokers: cluster.brokers, clientId: 'defects', prefix });
  await log.ensureTopics([
    { name: 'in', partitions: 3, cleanup: 'delete', retentionMs: null },
    { name: 'out', partitions: 2, cleanup: 'delete', retentionMs: null },
    { name: 'mixed', partitions: 1, cleanup: 'delete', retentionMs: null },
  ]);
});

after(async () => {
  if (skip) return;
  await log.close();
  await cluster.stop();
});

function transactional(id: string, more: object = {}): Producer {
  const own = { idempotent: true, transactionalId: prefix + id, producerId: -1n, producerEpoch: -1, timeout: 10_000 };
  return new Producer({ ...base, ...own, ...more });
}

async function joined(group: string): Promise<Consumer> {
  const consumer = new Consumer({ ...base, groupId: prefix + group, autocommit: false });
  consumer.topics.track(`${prefix}in`);
  await consumer.joinGroup({});
  return consumer;
}

async function offsetMessage(consumer: Consumer, partition: number, offset: bigint): Promise<Message> {
  const { groupId, memberId, generationId } = consumer;
  const coordinatorId = await consumer.findGroupCoordinator();
  const metadata = { consumer: { groupId, memberId, generationId, coordinatorId } };
  return { topic: `${prefix}in`, partition, offset, metadata } as unknown as Message;
}

const value = (text: string) => ({ topic: `${prefix}out`, partition: 0, value: Buffer.from(text) });

test('1: read_committed delivers aborted records; the log does not, and loses none', {
  skip: skip ?? false,
}, async () => {
  const producer = transactional('mixed');
  const topic = `${prefix}mixed`;
  for (let round = 0; round < 20; round++) {
    const transaction = await producer.beginTransaction();
    const word = round % 2 === 0 ? 'kept' : 'aborted';
    const messages = Array.from({ length: 50 }, (_, i) => ({
      topic,
      partition: 0,
      value: Buffer.from(`${word} ${round} ${i}`),
    }));
    await transaction.send({ messages });
    await (round % 2 === 0 ? transaction.commit() : transaction.abort());
  }
  await producer.close(true);
  const plain = new Consumer({
    ...base,
    groupId: `${prefix}plain`,
    autocommit: false,
    isolationLevel: 1,
    maxWaitTime: 100,
  });
  const stream = await plain.consume({ topics: [topic], mode: 'earliest', autocommit: false });
  const seen: string[] = [];
  stream.on('data', (message) => seen.push(String(message.value)));
  // It may also stand still; what it has given by then is enough.
  for (let i = 0; i < 100 && seen.filter((text) => text.startsWith('kept')).length < 500; i++)
    await processClock.sleep(50);
  await plain.close(true);
  assert.ok(
    seen.some((text) => text.startsWith('aborted')),
    'the client no longer leaks: CommittedConsumer may go',
  );
  const own: string[] = [];
  for (let from = 0; ; ) {
    // Small answers: the marker of a transaction is then often not in the answer with its records.
    const { records, next } = await log.read('mixed', 0, from, { maxBytes: 2000 });
    if (records.length === 0) break;
    own.push(...records.map((record) => String(record.value)));
    from = next;
  }
  assert.equal(own.length, 500);
  assert.ok(own.every((text) => text.startsWith('kept')));
});

test('2: the client reads offsets that a transaction is about to move; the log waits', {
  skip: skip ?? false,
}, async () => {
  const consumer = await joined('unstable');
  const offsets = new Offsets({ ...base, retries: 40 }, `${prefix}none`);
  const producer = transactional('unstable');
  const transaction = await producer.beginTransaction();
  await transaction.addConsumer(consumer);
  await transaction.addOffset(await offsetMessage(consumer, 0, 98n));
  const early = await consumer.listCommittedOffsets({ topics: [{ topic: `${prefix}in`, partitions: [0] }] });
  assert.equal(early.get(`${prefix}in`)![0], -1n, 'the client now asks for stable offsets');
  let answered = false;
  const stable = offsets.committed(`${prefix}unstable`, `${prefix}in`, [0]).finally(() => {
    answered = true;
  });
  await processClock.sleep(300);
  assert.equal(answered, false);
  await transaction.commit();
  assert.equal((await stable).get(0), 99);
  await Promise.all([producer.close(true), consumer.close(true), offsets.close()]);
});

test('3: concurrent calls of a transaction are lost; the log commits every offset', {
  skip: skip ?? false,
}, async () => {
  const consumer = await joined('concurrent');
  const producer = transactional('concurrent');
  const transaction = await producer.beginTransaction();
  await transaction.addConsumer(consumer);
  const messages = await Promise.all([0, 1, 2].map((partition) => offsetMessage(consumer, partition, 9n)));
  await Promise.all(messages.map((message) => transaction.addOffset(message)));
  await transaction.commit();
  const committed = await Promise.all([0, 1, 2].map((partition) => log.committed('concurrent', 'in', partition)));
  assert.ok(committed.includes(null), 'the client now takes concurrent calls');
  await Promise.all([producer.close(true), consumer.close(true)]);
  const member = await log.join({ group: 'several', topic: 'in', read: false });
  await member.next();
  await member.commit(
    [],
    [0, 1, 2].map((partition) => ({ topic: 'in', partition, offset: 10 + partition })),
  );
  for (const partition of [0, 1, 2]) assert.equal(await log.committed('several', 'in', partition), 10 + partition);
  await member.leave();
});

test('5, 6: without an explicit producer id a second start is fenced, and the producer is stuck', {
  skip: skip ?? false,
}, async () => {
  const first = transactional('again', { producerId: undefined, producerEpoch: undefined });
  const transaction = await first.beginTransaction();
  await transaction.send({ messages: [value('x')] });
  await transaction.commit();
  await first.close(true);
  const second = transactional('again', { producerId: undefined, producerEpoch: undefined });
  await assert.rejects(second.beginTransaction(), (error) => idsOf(error).has('PRODUCER_FENCED'));
  await assert.rejects(second.beginTransaction(), /already an active transaction/);
  await second.close(true);
  // Ours starts again and again under one name.
  for (let round = 0; round < 3; round++) {
    const member = await log.join({ group: 'again', topic: 'in', instance: 'slot', read: false });
    await member.next();
    await member.commit(
      [{ topic: 'out', key: null, value: Buffer.from('y') }],
      [{ topic: 'in', partition: 0, offset: round }],
    );
    await member.leave();
  }
  assert.equal(await log.committed('again', 'in', 0), 2);
});

test('7: an idempotent producer without retries would try for ever', { skip: skip ?? false }, async () => {
  const options = { ...base, retries: 0, idempotent: true };
  const producer = new Producer(options);
  assert.equal(options.retries, Number.MAX_SAFE_INTEGER);
  await producer.close(true);
});

test('8: the new group protocol has no generation to commit with', { skip: skip ?? false }, async () => {
  const consumer = new Consumer({ ...base, groupId: `${prefix}848`, groupProtocol: 'consumer', autocommit: false });
  const stream = await consumer.consume({ topics: [`${prefix}in`], mode: 'earliest' });
  await processClock.sleep(500);
  assert.equal(consumer.generationId, 0, 'the client now tells the epoch: the new protocol may do');
  await stream.close();
  await consumer.close(true);
});

test('12: the client does not know the lag of offsets in transactions; the log does', {
  skip: skip ?? false,
}, async () => {
  await log.append(
    Array.from({ length: 7 }, (_, i) => ({ topic: 'in', key: null, value: Buffer.from(String(i)), partition: 1 })),
  );
  const consumer = await joined('lag');
  assert.deepEqual(await consumer.getLag({ topics: [`${prefix}in`] }), new Map([[`${prefix}in`, [-1n, -1n, -1n]]]));
  await consumer.close(true);
  const member = await log.join({ group: 'lag', topic: 'in', read: false });
  await member.next();
  await member.commit([], [{ topic: 'in', partition: 1, offset: 3 }]);
  const lag = await log.lag('lag', 'in');
  assert.deepEqual(
    lag.map(({ partition, lag: behind }) => [partition, behind]),
    [
      [0, 0],
      [1, 4],
      [2, 0],
    ],
  );
  await member.leave();
});

test('a stale generation and an unknown member are refused by the broker', { skip: skip ?? false }, async () => {
  const consumer = await joined('stale');
  for (const [wrong, id] of [
    [{ generationId: consumer.generationId - 1 }, 'ILLEGAL_GENERATION'],
    [{ memberId: 'nobody' }, 'UNKNOWN_MEMBER_ID'],
  ] as const) {
    const producer = transactional('stale');
    const transaction = await producer.beginTransaction();
    await transaction.addConsumer(consumer);
    const message = await offsetMessage(consumer, 0, 4n);
    Object.assign(message.metadata['consumer'] as object, wrong);
    await assert.rejects(transaction.addOffset(message), (error) => idsOf(error).has(id));
    await transaction.abort();
    await producer.close(true);
  }
  await consumer.close(true);
  const admin = new Admin(base);
  assert.equal(await log.committed('stale', 'in', 0), null);
  await admin.close();
});
