/** Members of a group on the real broker: what would be lost or doubled through rebalances, restarts and zombies. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { GroupMember, MemberEvent } from '../../src/event-log/event-log.ts';
import { stickyAssignment } from '../../src/event-log/kafka/assignment.ts';
import { type KafkaLog, openKafkaLog } from '../../src/event-log/kafka/kafka-log.ts';
import { TapewatchError } from '../../src/market/error.ts';
import { processClock } from '../../src/transport/network.ts';
import { type Cluster, noBroker, someBroker } from './broker.ts';

const skip = noBroker() ?? false;
const prefix = `member-${process.pid}.`;
let cluster: Cluster;
let log: KafkaLog;

before(async () => {
  if (skip) return;
  cluster = await someBroker();
  log = await openKafkaLog({ brokers: cluster.brokers, clientId: 'member', prefix, sessionMs: 3000 });
  for (const [name, partitions] of [
    ['in', 6],
    ['out', 1],
  ] as const)
    await log.ensureTopics([{ name, partitions, cleanup: 'delete', retentionMs: null }]);
});

after(async () => {
  if (skip) return;
  await log.close();
  await cluster.stop();
});

test('partitions are shared evenly, and each member keeps what it has', () => {
  const alone = stickyAssignment(new Map([['a', []]]), 5);
  assert.deepEqual([...alone], [['a', [0, 1, 2, 3, 4]]]);
  const two = stickyAssignment(
    new Map([
      ['a', [0, 1, 2, 3, 4]],
      ['b', []],
    ]),
    5,
  );
  assert.deepEqual(two.get('a'), [0, 1, 2]);
  assert.deepEqual(two.get('b'), [3, 4]);
  // Two claim the same one (one of them was away for long): it goes to one.
  const claimed = stickyAssignment(
    new Map([
      ['a', [0, 1]],
      ['b', [1, 2]],
      ['c', []],
    ]),
    4,
  );
  assert.deepEqual([...claimed.values()].flat().sort(), [0, 1, 2, 3]);
});

/** Copies every record of `in` to `out` with its place, one step a batch, till the signal fires. */
async function copy(member: GroupMember, signal: AbortSignal, story: MemberEvent['kind'][]): Promise<void> {
  try {
    for (;;) {
      const event = await member.next(signal);
      story.push(event.kind);
      if (event.kind !== 'batch') continue;
      const outputs = event.records.map(({ partition, offset }) => ({
        topic: 'out',
        key: null,
        value: Buffer.from(`${partition}:${offset}`),
        partition: 0,
      }));
      await member.commit(outputs, [{ topic: 'in', partition: event.partition, offset: event.next }]).catch((error) => {
        if (!(error instanceof TapewatchError && error.code === 'fenced')) throw error;
      });
    }
  } catch (error) {
    if (!(error instanceof TapewatchError && error.code === 'aborted')) throw error;
  } finally {
    await member.leave();
  }
}

test('members come and go while records flow: each is copied once, in order', { skip }, async () => {
  const stop = new AbortController();
  const stories: MemberEvent['kind'][][] = [];
  const running: Promise<void>[] = [];
  const start = async (signal: AbortSignal): Promise<void> => {
    const story: MemberEvent['kind'][] = [];
    stories.push(story);
    running.push(copy(await log.join({ group: 'copy', topic: 'in', maxRecords: 40 }), signal, story));
  };
  await start(stop.signal);
  let sent = 0;
  const sending = (async () => {
    while (sent < 6000) {
      const batch = Array.from({ length: 60 }, (_, i) => ({
        topic: 'in',
        key: null,
        value: Buffer.from(String(sent + i)),
        partition: i % 6,
      }));
      await log.append(batch);
      sent += batch.length;
      await processClock.sleep(15);
    }
  })();
  const leaver = new AbortController();
  await processClock.sleep(300);
  await start(leaver.signal);
  await processClock.sleep(400);
  await start(stop.signal);
  await processClock.sleep(400);
  leaver.abort();
  await sending;
  const seen: string[] = [];
  for (let from = 0; seen.length < sent; ) {
    const { records, next } = await log.read('out', 0, from, { waitMs: 15_000 });
    if (records.length === 0) break;
    seen.push(...records.map(({ value }) => String(value)));
    from = next;
  }
  stop.abort();
  await Promise.all(running);
  assert.equal(new Set(seen).size, seen.length, 'none doubled');
  assert.equal(seen.length, sent, 'none lost');
  for (let partition = 0; partition < 6; partition++) {
    const offsets = seen.filter((place) => place.startsWith(`${partition}:`)).map((place) => Number(place.slice(2)));
    assert.deepEqual(
      offsets,
      [...offsets].sort((a, b) => a - b),
    );
  }
  // The one that stayed was never told to drop what it kept: it lost partitions to the others, and nothing else.
  assert.ok(
    stories[0]!.filter((kind) => kind === 'revoked').length <= 3,
    stories[0]!.filter((k) => k !== 'batch').join(' '),
  );
});

test('a second process of one instance name takes over, and the first says why it stops', { skip }, async () => {
  const first = await log.join({ group: 'named', topic: 'in', instance: 'slot-0', read: false });
  await first.next();
  const second = await log.join({ group: 'named', topic: 'in', instance: 'slot-0', read: false });
  const told = await second.next();
  assert.equal(told.kind === 'assigned' && told.partitions.length, 6);
  // They fence each other a few times, since once may be a broker's failure; the older gives in.
  const ending = (async () => {
    for (;;) await first.next(AbortSignal.timeout(30_000));
  })();
  await assert.rejects(ending, { code: 'log_busy', message: /--instance/ });
  await second.commit([], [{ topic: 'in', partition: 0, offset: 1 }]);
  await first.leave();
  await second.leave();
});

test('a call larger than a batch is split, and read back whole', { skip }, async () => {
  await log.ensureTopics([{ name: 'big', partitions: 1, cleanup: 'delete', retentionMs: null }]);
  const block = Buffer.alloc(300_000);
  for (let i = 0; i < block.length; i++) block[i] = (i * 2654435761) >>> 13;
  const member = await log.join({ group: 'big', topic: 'in', read: false });
  await member.next();
  const outputs = Array.from({ length: 9 }, (_, i) => ({ topic: 'big', key: String(i), value: block }));
  await member.commit(outputs, [{ topic: 'in', partition: 2, offset: 1 }]);
  const positions = await log.append(outputs);
  assert.ok(positions.every(({ offset }, i) => i === 0 || offset > positions[i - 1]!.offset));
  const keys: (string | null)[] = [];
  for (let from = 0; ; ) {
    const { records, next } = await log.read('big', 0, from);
    if (records.length === 0) break;
    for (const { key, value } of records) {
      keys.push(key);
      assert.ok(block.equals(value!));
    }
    from = next;
  }
  assert.deepEqual(
    keys,
    [...outputs, ...outputs].map(({ key }) => key),
  );
  await member.leave();
});
