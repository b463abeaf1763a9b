/**
 * What @platformatic/kafka 2.12.1 makes of answers that come late, or not at all, on the real broker, and what the log does
 * instead. The numbers go on from client-defects.test.ts; here too a test that fails after an upgrade tells of it.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, afterEach, before, test } from 'node:test';
import {
  Admin,
  Consumer,
  type ConsumerGroupJoinPayload,
  type Message,
  NetworkError,
  Producer,
} from '@platformatic/kafka';
import type { MemberEvent } from '../../src/event-log/event-log.ts';
import { type KafkaLog, openKafkaLog } from '../../src/event-log/kafka/kafka-log.ts';
import { type Generation, Membership } from '../../src/event-log/kafka/membership.ts';
import { processClock } from '../../src/transport/network.ts';
import { type Cluster, noBroker, someBroker } from './broker.ts';
import { meddleWith } from './meddling.ts';

const skip = noBroker() ?? false;
const prefix = `answers-${process.pid}.`;
const PARTITIONS = [0, 1, 2];
const RECORDS = 10;
let cluster: Cluster;
let log: KafkaLog;
let base: { bootstrapBrokers: string[]; clientId: string; retries: number; retryDelay: number };
const undo: (() => unknown)[] = [];

before(async () => {
  if (skip) return;
  cluster = await someBroker();
  base = { bootstrapBrokers: [...cluster.brokers], clientId: 'answers', retries: 3, retryDelay: 50 };
  log = await openKafkaLog({ brokers: cluster.brokers, clientId: 'answers', prefix });
  await log.ensureTopics([
    { name: 'in', partitions: PARTITIONS.length, cleanup: 'delete', retentionMs: null },
    { name: 'out', partitions: PARTITIONS.length, cleanup: 'delete', retentionMs: null },
    { name: 'sent', partitions: 1, cleanup: 'delete', retentionMs: null },
  ]);
  await log.append(
    PARTITIONS.flatMap((partition) =>
      Array.from({ length: RECORDS }, (_, i) => ({
        topic: 'in',
        key: null,
        value: Buffer.from(`${partition}:${i}`),
        partition,
      })),
    ),
  );
});

afterEach(async () => {
  for (const each of undo.splice(0).reverse()) await each();
});

after(async () => {
  if (skip) return;
  await log.close();
  await cluster.stop();
});

function member(group: string, more: object = {}): Consumer {
  const consumer = new Consumer({
    ...base,
    groupId: prefix + group,
    autocommit: false,
    sessionTimeout: 3000,
    rebalanceTimeout: 3000,
    heartbeatInterval: 100,
    ...more,
  });
  consumer.topics.track(`${prefix}in`);
  undo.push(() => consumer.close(true).catch(() => undefined));
  return consumer;
}

/** The next generation that a client joins. */
async function joining(consumer: Consumer): Promise<ConsumerGroupJoinPayload> {
  const [payload] = (await once(consumer, 'consumer:group:join')) as [ConsumerGroupJoinPayload];
  return payload;
}

const partitionsOf = ({ assignments }: ConsumerGroupJoinPayload): readonly number[] =>
  assignments?.flatMap(({ partitions }) => partitions) ?? [];

async function eventually(holds: () => boolean, what: string, withinMs = 15_000): Promise<void> {
  for (let waited = 0; !holds(); waited += 20) {
    assert.ok(waited < withinMs, `${what}, not within ${withinMs / 1000} s`);
    await processClock.sleep(20);
  }
}

/** From now on answers to fetches wait, until the function returned is called. */
function holdFetches(): () => void {
  const { promise, resolve } = Promise.withResolvers<void>();
  undo.push(
    meddleWith('Fetch', (send, done) => send((...answer) => void promise.then(() => done(...answer)))),
    resolve,
  );
  return resolve;
}

test('4: an answer to a fetch outlives a rebalance and passes for one of the new generation', { skip }, async () => {
  const first = member('late');
  await first.joinGroup({});
  const release = holdFetches();
  const stream = await first.consume({
    topics: [`${prefix}in`],
    mode: 'earliest',
    autocommit: false,
    maxWaitTime: 100,
  });
  const seen: Message[] = [];
  stream.on('data', (message) => seen.push(message));
  await processClock.sleep(300);
  const second = member('late');
  const [again] = await Promise.all([joining(first), second.joinGroup({})]);
  const lost = PARTITIONS.filter((partition) => !partitionsOf(again).includes(partition));
  assert.ok(lost.length > 0, 'the second took something over');
  release();
  await eventually(() => seen.length >= RECORDS, 'the answer that was held is given out');
  const foreign = seen.filter(({ partition }) => lost.includes(partition));
  assert.equal(foreign.length, lost.length * RECORDS, 'the client now drops what it no longer owns');
  for (const { metadata } of foreign)
    assert.equal(
      (metadata['consumer'] as { generationId: number }).generationId,
      again.generationId,
      'and a commit of it is no longer taken for one of the new generation',
    );
});

test('4: the log gives nothing of a partition that was lost, however late its answer comes', { skip }, async () => {
  const first = await log.join({ group: 'dropped', topic: 'in' });
  const release = holdFetches();
  const held = new Set<number>();
  const offsets: string[] = [];
  const faults: string[] = [];
  const stop = new AbortController();
  const reading = (async () => {
    for (;;) {
      const event = await first.next(stop.signal);
      if (event.kind === 'assigned') for (const { partition } of event.partitions) held.add(partition);
      else if (event.kind === 'revoked') for (const { partition } of event.partitions) held.delete(partition);
      else {
        if (!held.has(event.partition)) faults.push(`a batch of ${event.partition}, which is another's`);
        for (const { partition, offset } of event.records) offsets.push(`${partition}:${offset}`);
      }
    }
  })().catch(() => undefined);
  await eventually(() => held.size === PARTITIONS.length, 'it has all partitions');
  const second = await log.join({ group: 'dropped', topic: 'in', read: false });
  const taken = await second.next();
  assert.ok(taken.kind === 'assigned');
  await eventually(() => held.size < PARTITIONS.length, 'it gives some up');
  const lost = taken.partitions.map(({ partition }) => partition);
  // While the answer is held the other passes half of what is in it.
  await second.commit(
    [],
    lost.map((partition) => ({ topic: 'in', partition, offset: RECORDS / 2 })),
  );
  await second.leave();
  await eventually(() => held.size === PARTITIONS.length, 'it has them back');
  release();
  const wanted = PARTITIONS.flatMap((partition) => {
    const from = lost.includes(partition) ? RECORDS / 2 : 0;
    return Array.from({ length: RECORDS - from }, (_, i) => `${partition}:${from + i}`);
  });
  await eventually(() => offsets.length >= wanted.length, 'all that is left to do is given');
  await processClock.sleep(300);
  stop.abort();
  await reading;
  await first.leave();
  assert.deepEqual(faults, []);
  assert.deepEqual(offsets.sort(), wanted);
});

test('9: a rebalance waits for nobody: the client joins anew while its listener is still busy', { skip }, async () => {
  const first = member('busy');
  let told = 0;
  first.on('consumer:group:rebalance', () => {
    told++;
    return new Promise<void>(() => undefined);
  });
  await first.joinGroup({});
  const before = first.generationId;
  const second = member('busy');
  const [again] = await Promise.all([joining(first), second.joinGroup({})]);
  assert.ok(told > 0);
  assert.ok(again.generationId! > before);
});

test('9: a step caught by a rebalance is done once where its partition stays, and refused where it goes', {
  skip,
}, async () => {
  const first = await log.join({ group: 'caught', topic: 'in' });
  const batches = new Map<number, MemberEvent & { kind: 'batch' }>();
  while (batches.size < PARTITIONS.length) {
    const event = await first.next();
    if (event.kind === 'batch') batches.set(event.partition, event);
  }
  // Its steps stand open, and nobody asks for the next event: the other joins all the same.
  const second = await log.join({ group: 'caught', topic: 'in', read: false });
  const taken = await second.next();
  assert.ok(taken.kind === 'assigned');
  const lost = taken.partitions.map(({ partition }) => partition);
  assert.ok(lost.length > 0 && lost.length < PARTITIONS.length);
  assert.ok(taken.partitions.every(({ committed }) => committed === null));
  for (const { partition, next } of batches.values()) {
    const step = first.commit(
      [{ topic: 'out', key: null, value: Buffer.from(`step of ${partition}`), partition }],
      [{ topic: 'in', partition, offset: next }],
    );
    if (lost.includes(partition)) await assert.rejects(step, { code: 'fenced' });
    else await step;
  }
  for (const partition of PARTITIONS) {
    const { records } = await log.read('out', partition, 0);
    assert.equal(records.length, lost.includes(partition) ? 0 : 1);
    const stands = await log.committed('caught', 'in', partition);
    assert.equal(stands, lost.includes(partition) ? null : RECORDS);
  }
  await Promise.all([first.leave(), second.leave()]);
});

test('9: a step refused since the group has moved on is done again at once, not at the next heartbeat', {
  skip,
}, async () => {
  const first = await log.join({ group: 'refused', topic: 'in', read: false });
  const before = await first.next();
  assert.ok(before.kind === 'assigned');
  const { promise: moved, resolve: move } = Promise.withResolvers<void>();
  const tried: number[] = [];
  undo.push(
    meddleWith('TxnOffsetCommit', (send, done) => {
      tried.push(tried.length);
      void moved.then(() => send(done));
    }),
    // The broker hears them, and it is never known.
    meddleWith('Heartbeat', (send, done) =>
      send((error) => done(error ?? new NetworkError('The connection was lost.'))),
    ),
    move,
  );
  const step = first.commit([], [{ topic: 'in', partition: 0, offset: 3 }]);
  await eventually(() => tried.length > 0, 'the step is on its way');
  const second = await log.join({ group: 'refused', topic: 'in', read: false });
  const taken = await second.next();
  assert.ok(taken.kind === 'assigned' && taken.partitions.every(({ partition }) => partition !== 0));
  // Its answer to the join has come by then, too.
  await processClock.sleep(300);
  move();
  const late = processClock.sleep(10_000).then(() => 'late');
  assert.equal(await Promise.race([step.then(() => 'done'), late]), 'done');
  assert.ok(tried.length > 1, 'it was not refused: nothing is proved');
  assert.equal(await log.committed('refused', 'in', 0), 3);
  await Promise.all([first.leave(), second.leave()]);
});

/** A `Membership` of ours with what it has joined. */
function ours(group: string, sessionMs: number): { membership: Membership; generations: Generation[] } {
  const generations: Generation[] = [];
  const membership = new Membership({
    client: { ...base, retries: 1 },
    group: prefix + group,
    topic: `${prefix}in`,
    sessionMs,
    owned: () => [],
    joined: (generation) => generation && generations.push(generation),
  });
  undo.push(() => membership.leave());
  return { membership, generations };
}

/** Refuses every JoinGroup while on, as a coordinator that is away does. */
function refuseJoins(): { on: boolean; refused: number } {
  const refusal = { on: true, refused: 0 };
  undo.push(
    meddleWith('JoinGroup', (send, done) => {
      if (!refusal.on) return send(done);
      refusal.refused++;
      done(new NetworkError('The coordinator is away.'));
    }),
  );
  return refusal;
}

async function membersOf(group: string): Promise<number> {
  const admin = new Admin(base);
  try {
    const found = await admin.describeGroups({ groups: [prefix + group] });
    return found.get(prefix + group)?.members.size ?? 0;
  } finally {
    await admin.close();
  }
}

test('10: a join that fails in a failover ends the client’s membership', { skip }, async () => {
  const first = member('failing', { retries: 1 });
  const errors: unknown[] = [];
  first.on('error', (error) => errors.push(error));
  await first.joinGroup({});
  const refusal = refuseJoins();
  await expel(first);
  await eventually(() => errors.length > 0, 'the client gives up');
  refusal.on = false;
  const before = refusal.refused;
  await processClock.sleep(3000);
  assert.equal(refusal.refused, before);
  assert.equal(await membersOf('failing'), 0, 'the client now joins again by itself');
});

test('10: ours is joined again as soon as the coordinator answers', { skip }, async () => {
  const { membership, generations } = ours('lasting', 3000);
  await membership.join();
  const refusal = refuseJoins();
  await expel(membership.consumer);
  await eventually(() => refusal.refused >= 5, 'it tries beyond the client’s own attempts');
  assert.equal(generations.length, 1);
  refusal.on = false;
  await eventually(() => generations.length > 1, 'it is a member again');
  assert.deepEqual(generations.at(-1)!.partitions, PARTITIONS);
  assert.equal(await membersOf('lasting'), 1);
});

/** Takes a member out of its group behind its back: its next heartbeat is refused. */
async function expel({ groupId, memberId }: Consumer): Promise<void> {
  const admin = new Admin(base);
  await admin.removeMembersFromConsumerGroup({ groupId, members: [{ memberId: memberId! }] });
  await admin.close();
}

test('10: answers to heartbeats lost for the rebalance time-out pass for a death; with us they do not', {
  skip,
}, async () => {
  const plain = member('stalled');
  let stalls = 0;
  plain.on('consumer:heartbeat:stalled', () => stalls++);
  const { membership, generations } = ours('patient', 3000);
  await Promise.all([plain.joinGroup({}), membership.join()]);
  // The broker hears them: both are alive, and told nothing of it.
  undo.push(meddleWith('Heartbeat', (send, done) => send(() => done(new NetworkError('The connection was lost.')))));
  // Longer than the rebalance time-out of either.
  await processClock.sleep(12_000);
  assert.deepEqual([await membersOf('stalled'), await membersOf('patient')], [1, 1]);
  assert.equal(stalls, 1, 'the client now is more patient: heartbeatStallTimeout may go');
  assert.equal(generations.length, 1, 'ours stayed in its generation');
});

/** The broker takes the first Produce, and its answer is lost on the way. */
function loseFirstProduced(): { produced: number } {
  const told = { produced: 0 };
  undo.push(
    meddleWith('Produce', (send, done) =>
      send((...answer) => {
        if (told.produced++ === 0) done(new NetworkError('The connection was lost.'));
        else done(...answer);
      }),
    ),
  );
  return told;
}

async function sentOf(word: string): Promise<number> {
  let found = 0;
  for (let from = 0; ; ) {
    const { records, next } = await log.read('sent', 0, from);
    if (records.length === 0) return found;
    found += records.filter(({ value }) => String(value).startsWith(word)).length;
    from = next;
  }
}

for (const idempotent of [false, true]) {
  test(`13: a Produce whose answer is lost ${idempotent ? 'stands once with' : 'is doubled without'} idempotence`, {
    skip,
  }, async () => {
    const word = `plain ${idempotent} `;
    const ids = idempotent ? { producerId: -1n, producerEpoch: -1 } : {};
    const producer = new Producer({ ...base, idempotent, ...ids });
    undo.push(() => producer.close(true));
    const told = loseFirstProduced();
    const messages = Array.from({ length: 7 }, (_, i) => ({
      topic: `${prefix}sent`,
      partition: 0,
      value: Buffer.from(word + i),
    }));
    await producer.send({ messages });
    assert.equal(told.produced, 2);
    assert.equal(await sentOf(word), idempotent ? 7 : 14);
  });
}

test('13: what the log appends stands once, though an answer is lost', { skip }, async () => {
  const told = loseFirstProduced();
  const records = Array.from({ length: 7 }, (_, i) => ({ topic: 'sent', key: null, value: Buffer.from(`log ${i}`) }));
  const positions = await log.append(records);
  assert.ok(told.produced >= 2);
  assert.equal(await sentOf('log'), 7);
  const { records: read } = await log.read('sent', 0, positions[0]!.offset);
  assert.deepEqual(
    read.slice(0, 7).map(({ value }) => String(value)),
    records.map(({ value }) => String(value)),
  );
});
