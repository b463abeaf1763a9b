/**
 * `serve` on the real broker: a replica that was killed goes on from its own copy, with what came meanwhile; cursors mean the
 * same on every replica, so that a stream is resumed on another.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { Admin } from '@platformatic/kafka';
import { type KafkaLog, openKafkaLog } from '../../src/event-log/kafka/kafka-log.ts';
import { topicSpecs } from '../../src/event-log/topics.ts';
import { Random } from '../../src/market/random.ts';
import type { Anomaly, Bar } from '../../src/market/records.ts';
import { processClock } from '../../src/transport/network.ts';
import { type Cluster, noBroker, someBroker } from './broker.ts';
import { Fleet } from './fleet.ts';
import { type Role, startRole } from './role.ts';
import { drained, feed, START, tapeOf } from './tape.ts';

const skip = noBroker() ?? false;
const prefix = `serve-${process.pid}.`;
const dir = mkdtempSync(join(tmpdir(), 'tapewatch-serve-'));
const tape = tapeOf({ seed: 8, symbols: 12, trades: 24_000 });
let cluster: Cluster;
let log: KafkaLog;
let env: Record<string, string>;

before(async () => {
  if (skip) return;
  cluster = await someBroker();
  env = { TAPEWATCH_KAFKA: cluster.brokers.join(','), TAPEWATCH_KAFKA_PREFIX: prefix };
  log = await openKafkaLog({ brokers: cluster.brokers, clientId: 'serve-test', prefix });
  await log.ensureTopics(topicSpecs({ prefix: '', partitions: 3, retentionMs: null }));
});

after(async () => {
  rmSync(dir, { recursive: true });
  if (skip) return;
  await log.close();
  await cluster.stop();
});

const serve = (name: string): Promise<Role> => startRole(['serve', '--data', join(dir, name)], env);

async function get<T>({ address }: Role, path: string): Promise<T> {
  const answer = await fetch(`${address}${path}`);
  assert.equal(answer.status, 200, `${path}: ${await answer.clone().text()}`);
  return (await answer.json()) as T;
}

interface Page {
  readonly items: readonly Anomaly[];
  readonly nextCursor?: number;
}

/** All that a replica has, oldest first, with the cursors between its pages. */
async function all(role: Role): Promise<{ ids: string[]; cursors: number[] }> {
  const ids: string[] = [];
  const cursors: number[] = [];
  for (let cursor = ''; ; ) {
    const { items, nextCursor } = await get<Page>(role, `/v1/anomalies?limit=20${cursor}`);
    ids.unshift(...items.map(({ id }) => id).reverse());
    if (nextCursor === undefined) return { ids, cursors };
    cursors.push(nextCursor);
    cursor = `&cursor=${nextCursor}`;
  }
}

async function untilItHas(role: Role, newest: string): Promise<void> {
  for (let waited = 0; ; waited += 100) {
    const { items } = await get<Page>(role, '/v1/anomalies?limit=1');
    if (items[0]?.id === newest) return;
    assert.ok(waited < 30_000, `the newest is ${items[0]?.id} after 30 s, not ${newest}`);
    await processClock.sleep(100);
  }
}

/** What a read_committed reader sees on `anomalies`, with offsets. */
async function onTopic(): Promise<{ id: string; offset: number }[]> {
  const found: { id: string; offset: number }[] = [];
  for (let from = 0; ; ) {
    const { records, next } = await log.read('anomalies', 0, from);
    if (records.length === 0) return found;
    found.push(...records.map(({ offset, value }) => ({ id: (JSON.parse(String(value)) as Anomaly).id, offset })));
    from = next;
  }
}

const behind = async (): Promise<number> => (await log.lag('detect', 'trades')).reduce((sum, { lag }) => sum + lag, 0);

/** Ids of the anomalies that come on a stream resumed after `offset`, until there are `count`. */
async function streamed({ address }: Role, offset: number, count: number): Promise<string[]> {
  const stop = new AbortController();
  const answer = await fetch(`${address}/v1/stream`, {
    headers: { 'last-event-id': String(offset) },
    signal: stop.signal,
  });
  const ids: string[] = [];
  let text = '';
  for await (const part of answer.body!) {
    text += Buffer.from(part).toString();
    const events = text.split('\n\n');
    text = events.pop()!;
    for (const event of events) {
      const data = /^data: (.*)$/m.exec(event)?.[1];
      if (/^event: anomaly$/m.test(event) && data) ids.push((JSON.parse(data) as Anomaly).id);
    }
    if (ids.length >= count) break;
  }
  stop.abort();
  return ids;
}

test('a replica killed goes on from its copy, another has what the log has, and a cursor is the same on both', {
  skip,
  timeout: 180_000,
}, async () => {
  const random = new Random(1);
  const detect = new Fleet({ role: 'detect', args: ['--budget', '24'], env, size: 1, sessionMs: 6000, random });
  const roles: Role[] = [];
  try {
    const first = await serve('one');
    roles.push(first);
    const half = Math.floor(tape.length * 0.8);
    await feed(log, tape.slice(0, half), Number.POSITIVE_INFINITY);
    await drained(behind, 60_000);
    const early = await onTopic();
    assert.ok(early.length > 30, `only ${early.length} anomalies`);
    await untilItHas(first, early.at(-1)!.id);
    const gone = once(first.child, 'exit');
    first.child.kill('SIGKILL');
    await gone;
    await feed(log, tape.slice(half), Number.POSITIVE_INFINITY);
    await drained(behind, 60_000);
    const wanted = await onTopic();
    assert.ok(wanted.length > early.length, 'nothing came while it was away');

    // What it had copied is no longer in the log: it can only come from its own store.
    const kept = early[early.length - 10]!;
    const admin = new Admin({ clientId: 'serve-test', bootstrapBrokers: [...cluster.brokers] });
    await admin.deleteRecords({
      topics: [{ name: `${prefix}anomalies`, partitions: [{ partition: 0, offset: BigInt(kept.offset) }] }],
    });
    await admin.close();
    const again = await serve('one');
    const other = await serve('other');
    roles.push(again, other);
    for (const role of [again, other]) await untilItHas(role, wanted.at(-1)!.id);
    const [whole, rest] = [await all(again), await all(other)];
    assert.deepEqual(
      whole.ids,
      wanted.map(({ id }) => id),
    );
    assert.deepEqual(
      rest.ids,
      wanted.filter(({ offset }) => offset >= kept.offset).map(({ id }) => id),
    );
    assert.ok(rest.cursors.length > 0);
    assert.deepEqual(rest.cursors, whole.cursors.slice(0, rest.cursors.length), 'cursors are the log’s offsets');

    const seen = wanted[wanted.length - 8]!;
    const next = wanted.slice(-7).map(({ id }) => id);
    for (const role of [again, other]) assert.deepEqual(await streamed(role, seen.offset, next.length), next);

    const { symbol } = tape[0]!;
    const range = `symbol=${symbol}&from=${START}&to=${START + 86_400_000}`;
    const [bars, others] = await Promise.all(
      [again, other].map((role) => get<{ items: Bar[] }>(role, `/v1/bars?${range}`)),
    );
    assert.ok(bars!.items.length > 500);
    assert.deepEqual(bars, others);
  } finally {
    await Promise.all([...roles.map((role) => role.stop()), detect.stop()]);
  }
});
