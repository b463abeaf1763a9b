/** What every event log keeps, whatever it is made of. Offsets may have holes; nothing here assumes one process. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EventLog, GroupMember, LogRecord, MemberEvent, NewRecord } from '../../src/event-log/event-log.ts';

export interface Opened {
  readonly log: EventLog;
  /** Closes and opens the same log again. */
  reopen(): Promise<EventLog>;
  dispose(): Promise<void>;
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const text = (record: LogRecord): string => new TextDecoder().decode(record.value!);
const record = (topic: string, key: string, value: string, partition?: number): NewRecord => ({
  topic,
  key,
  value: bytes(value),
  ...(partition === undefined ? {} : { partition }),
});

async function all(log: EventLog, topic: string, partition: number): Promise<LogRecord[]> {
  const records: LogRecord[] = [];
  for (let from = 0; ; ) {
    const { records: more, next } = await log.read(topic, partition, from);
    if (more.length === 0) return records;
    records.push(...more);
    from = next;
  }
}

async function nextOf<K extends MemberEvent['kind']>(
  member: GroupMember,
  kind: K,
): Promise<Extract<MemberEvent, { kind: K }>> {
  for (;;) {
    const event = await member.next(AbortSignal.timeout(20_000));
    if (event.kind === kind) return event as Extract<MemberEvent, { kind: K }>;
  }
}

export function eventLogContract(name: string, open: () => Promise<Opened>): void {
  const run = (what: string, check: (opened: Opened) => Promise<void>): void => {
    test(`${name}: ${what}`, async () => {
      const opened = await open();
      try {
        await opened.log.ensureTopics([
          { name: 'in', partitions: 3, cleanup: 'delete', retentionMs: null },
          { name: 'out', partitions: 1, cleanup: 'delete', retentionMs: null },
          { name: 'state', partitions: 1, cleanup: 'compact', retentionMs: null },
        ]);
        await check(opened);
      } finally {
        await opened.dispose();
      }
    });
  };

  run('records come back in order, with key and time, also after reopening', async ({ log, reopen }) => {
    await log.append([record('in', 'a', '1', 2), record('in', 'a', '2', 2)]);
    await log.append([record('in', 'a', '3', 2)]);
    const again = await reopen();
    const records = await all(again, 'in', 2);
    assert.deepEqual(records.map(text), ['1', '2', '3']);
    assert.deepEqual(
      records.map(({ key }) => key),
      ['a', 'a', 'a'],
    );
    assert.ok(records.every(({ offset }, i) => i === 0 || offset > records[i - 1]!.offset));
  });

  run('a topic can not change its partitions', async ({ log }) => {
    await assert.rejects(log.ensureTopics([{ name: 'in', partitions: 4, cleanup: 'delete', retentionMs: null }]), {
      code: 'settings',
    });
    await assert.rejects(log.partitions('nothing'), { code: 'not_found' });
  });

  run('a reader that waits is woken by an append', async ({ log }) => {
    const { end } = await log.bounds('in', 0);
    const waiting = log.read('in', 0, end, { waitMs: 20_000 });
    await log.append([record('in', 'k', 'late', 0)]);
    assert.deepEqual((await waiting).records.map(text), ['late']);
  });

  run('the atomic step shows outputs and offset together', async ({ log, reopen }) => {
    await log.append([record('in', 'k', '1', 0), record('in', 'k', '2', 0)]);
    const member = await log.join({ group: 'g', topic: 'in' });
    const batch = await nextOf(member, 'batch');
    await member.commit(
      [record('out', 'k', 'seen')],
      [{ topic: 'in', partition: batch.partition, offset: batch.next }],
    );
    await member.leave();
    const again = await reopen();
    assert.deepEqual((await all(again, 'out', 0)).map(text), ['seen']);
    assert.equal(await again.committed('g', 'in', 0), batch.next);
    const second = await again.join({ group: 'g', topic: 'in' });
    const { partitions } = await nextOf(second, 'assigned');
    assert.equal(partitions.find(({ partition }) => partition === 0)?.committed, batch.next);
    await second.leave();
  });

  run('members share partitions; who lost one is fenced; generations grow', async ({ log }) => {
    const first = await log.join({ group: 'g', topic: 'in' });
    const alone = await nextOf(first, 'assigned');
    assert.equal(alone.partitions.length, 3);
    const second = await log.join({ group: 'g', topic: 'in' });
    const share = nextOf(second, 'assigned');
    const { partitions: lost } = await nextOf(first, 'revoked');
    const shared = await share;
    assert.ok(lost.length > 0 && shared.partitions.length > 0);
    assert.ok(shared.generation > alone.generation);
    const gone = { topic: 'in', partition: shared.partitions[0]!.partition, offset: 1 };
    await assert.rejects(first.commit([record('out', 'k', 'zombie')], [gone]), { code: 'fenced' });
    assert.deepEqual(await all(log, 'out', 0), []);
    await second.leave();
    await first.leave();
  });

  run(
    'a reader gets what it has room for, and reads on from there; beyond the end there is nothing',
    async ({ log }) => {
      await log.append(['1', '2', '3', '4', '5'].map((value) => record('in', 'k', value, 1)));
      const seen: string[][] = [];
      let from = 0;
      for (let i = 0; i < 20 && seen.flat().length < 5; i++) {
        const { records, next } = await log.read('in', 1, from, { maxRecords: 2 });
        assert.ok(records.length <= 2 && next >= from);
        if (records.length > 0) seen.push(records.map(text));
        from = next;
      }
      assert.deepEqual(seen.flat(), ['1', '2', '3', '4', '5']);
      const { end } = await log.bounds('in', 1);
      assert.ok(end >= from);
      assert.deepEqual((await log.read('in', 1, end)).records, []);
    },
  );

  run(
    'groups do not know of each other; without an offset a member begins at the oldest record, or where it seeks',
    async ({ log }) => {
      const [, second] = await log.append([record('in', 'k', '1', 0), record('in', 'k', '2', 0)]);
      const one = await log.join({ group: 'one', topic: 'in' });
      const { partitions } = await nextOf(one, 'assigned');
      assert.ok(partitions.every(({ committed }) => committed === null));
      const batch = await nextOf(one, 'batch');
      assert.equal(text(batch.records[0]!), '1');
      await one.commit([], [{ topic: 'in', partition: 0, offset: batch.next }]);
      await one.leave();
      const two = await log.join({ group: 'two', topic: 'in' });
      await nextOf(two, 'assigned');
      two.seek(0, second!.offset);
      assert.deepEqual((await nextOf(two, 'batch')).records.map(text), ['2']);
      assert.equal(await log.committed('two', 'in', 0), null);
      await two.leave();
    },
  );

  run(
    'a member that does not read shares partitions, may commit, and hears of nothing but its share',
    async ({ log }) => {
      await log.append([record('in', 'k', '1', 0)]);
      const first = await log.join({ group: 'writers', topic: 'in', read: false });
      const alone = await nextOf(first, 'assigned');
      assert.equal(alone.partitions.length, 3);
      const offsets = alone.partitions.map(({ topic, partition }) => ({ topic, partition, offset: 0 }));
      await first.commit([], offsets);
      const second = await log.join({ group: 'writers', topic: 'in', read: false });
      const share = nextOf(second, 'assigned');
      const { kind } = await first.next(AbortSignal.timeout(20_000));
      assert.equal(kind, 'revoked');
      const { partitions: shared, generation } = await share;
      assert.ok(shared.length > 0 && generation > alone.generation);
      await second.leave();
      const missing = new Set(shared.map(({ partition }) => partition));
      while (missing.size > 0) {
        const event = await first.next(AbortSignal.timeout(20_000));
        assert.notEqual(event.kind, 'batch');
        if (event.kind !== 'assigned') continue;
        assert.ok(event.generation >= generation);
        for (const { partition } of event.partitions) missing.delete(partition);
      }
      await first.leave();
    },
  );

  run('a compacted topic keeps the last of each key, and forgets a key by a tombstone', async ({ log, reopen }) => {
    await log.append([record('state', 'a', '1'), record('state', 'b', '2'), record('state', 'a', '3')]);
    await log.append([{ topic: 'state', key: 'b', value: null }]);
    const kept: string[] = [];
    for await (const latest of (await reopen()).latest('state', 0)) kept.push(`${latest.key}=${text(latest)}`);
    assert.deepEqual(kept, ['a=3']);
  });
}
