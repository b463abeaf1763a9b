/** The embedded log's tables in LMDB, and what one write transaction does to them. Synchronous: callers hold the transaction. */
import assert from 'node:assert/strict';
import { open, type RootDatabase } from 'lmdb';
import { TapewatchError } from '../../market/error.ts';
import { partitionOf } from '../../market/partition.ts';
import type { Bounds, LogRecord, NewRecord, Position, TopicSpec } from '../event-log.ts';

type Key = (string | number)[];

interface Topic extends TopicSpec {
  readonly id: number;
}

interface End {
  readonly key: Key;
  offset: number;
}

/** A record's value in the table: when it was appended, its key and its value, in one buffer. */
function pack(timestamp: number, key: string | null, value: Uint8Array | null): Buffer {
  const name = key === null ? null : Buffer.from(key);
  const out = Buffer.allocUnsafe(13 + (name?.length ?? 0) + (value?.length ?? 0));
  out.writeDoubleLE(timestamp, 0);
  out.writeInt32LE(name?.length ?? -1, 8);
  out[12] = value === null ? 0 : 1;
  if (name) out.set(name, 13);
  if (value) out.set(value, 13 + (name?.length ?? 0));
  return out;
}

function unpack(topic: string, partition: number, offset: number, packed: Buffer): LogRecord {
  const length = packed.readInt32LE(8);
  const at = 13 + Math.max(0, length);
  return {
    topic,
    partition,
    offset,
    key: length < 0 ? null : packed.toString('utf8', 13, at),
    value: packed[12] === 0 ? null : packed.subarray(at),
    timestamp: packed.readDoubleLE(0),
  };
}

export class Storage {
  readonly #root: RootDatabase<unknown, Key>;
  readonly #records: ReturnType<RootDatabase['openDB']>;
  readonly #topics = new Map<string, Topic>();
  /** Where partitions end by what this process has appended, and those of them that the present transaction has moved. */
  readonly #ends = new Map<string, End>();
  readonly #moved = new Set<End>();

  constructor(dir: string) {
    this.#root = open<unknown, Key>({ path: dir, maxDbs: 4, compression: false, encoding: 'msgpack' });
    this.#records = this.#root.openDB({ name: 'records', encoding: 'binary', cache: false });
    for (const { key, value } of this.#root.getRange({ start: ['topic'], end: ['topic', '\uffff'] })) {
      const topic = value as Topic;
      this.#topics.set(key[1] as string, topic);
    }
  }

  /** Runs `write` in one transaction; resolves once it is on disk. */
  async transaction<T>(write: () => T): Promise<T> {
    try {
      const result = await this.#root.transaction(() => {
        const written = write();
        for (const end of this.#moved) this.#root.putSync(end.key, end.offset);
        this.#moved.clear();
        return written;
      });
      await this.#root.flushed;
      return result;
    } catch (error) {
      this.#ends.clear();
      this.#moved.clear();
      // lmdb tells why a commit failed by a promise of its own, which must not go unhandled.
      const { commitError } = error as { commitError?: Promise<never> };
      await commitError?.catch((cause: unknown) => {
        throw new Error((cause as Error).message, { cause });
      });
      throw error;
    }
  }

  topic(name: string): Topic {
    const topic = this.#topics.get(name);
    if (!topic) throw new TapewatchError('not_found', `There is no topic ${name} in this data folder.`);
    return topic;
  }

  ensure(spec: TopicSpec): void {
    const there = this.#topics.get(spec.name);
    if (there) {
      if (there.partitions === spec.partitions && there.cleanup === spec.cleanup) return;
      throw new TapewatchError(
        'settings',
        `Topic ${spec.name} has ${there.partitions} partitions (${there.cleanup}), wanted are ${spec.partitions} (${spec.cleanup}). Partitions are fixed when a topic is made: keep the setting, or start with a new data folder.`,
      );
    }
    const topic: Topic = { ...spec, id: this.#topics.size + 1 };
    this.#root.putSync(['topic', spec.name], topic);
    this.#topics.set(spec.name, topic);
  }

  /** `at` gives a record an offset of its own, at or beyond the end. */
  append(record: NewRecord, timestamp: number, at?: number): Position {
    const topic = this.topic(record.topic);
    const partition = record.partition ?? (record.key === null ? 0 : partitionOf(record.key, topic.partitions));
    if (partition >= topic.partitions)
      throw new TapewatchError('not_found', `Topic ${record.topic} has no partition ${partition}.`);
    const end = this.#end(record.topic, topic.id, partition);
    const offset = at ?? end.offset;
    assert(offset >= end.offset, 'an offset is given once');
    end.offset = offset + 1;
    this.#moved.add(end);
    this.#records.putSync([topic.id, partition, offset], pack(timestamp, record.key, record.value));
    if (topic.cleanup === 'compact' && record.key !== null)
      this.#replaceLatest(topic.id, partition, record.key, offset, record.value);
    return { topic: record.topic, partition, offset };
  }

  #end(topic: string, id: number, partition: number): End {
    const name = `${partition} ${topic}`;
    let end = this.#ends.get(name);
    if (!end) {
      const key = ['end', id, partition];
      end = { key, offset: this.#number(key) };
      this.#ends.set(name, end);
    }
    return end;
  }

  #replaceLatest(id: number, partition: number, key: string, offset: number, value: Uint8Array | null): void {
    const latest = ['latest', id, partition, key];
    const before = this.#root.get(latest) as number | undefined;
    if (before !== undefined) this.#records.removeSync([id, partition, before]);
    if (value === null) {
      this.#records.removeSync([id, partition, offset]);
      this.#root.removeSync(latest);
    } else this.#root.putSync(latest, offset);
  }

  bounds(name: string, partition: number): Bounds {
    const { id } = this.topic(name);
    return { first: this.#number(['first', id, partition]), end: this.#number(['end', id, partition]) };
  }

  *scan(name: string, partition: number, from: number): Iterable<LogRecord> {
    const { id } = this.topic(name);
    for (const { key, value } of this.#records.getRange({ start: [id, partition, from], end: [id, partition + 1] })) {
      yield unpack(name, partition, (key as Key)[2] as number, value as Buffer);
    }
  }

  commitOffset(group: string, { topic, partition, offset }: Position): void {
    this.#root.putSync(['offset', group, topic, partition], offset);
  }

  committed(group: string, topic: string, partition: number): number | null {
    return (this.#root.get(['offset', group, topic, partition]) as number | undefined) ?? null;
  }

  nextGeneration(group: string): number {
    const generation = this.#number(['generation', group]) + 1;
    this.#root.putSync(['generation', group], generation);
    return generation;
  }

  /** Removes up to `limit` records appended before `before` from one partition; true where more may be due. */
  dropOlder(name: string, partition: number, before: number, limit: number): boolean {
    const { id } = this.topic(name);
    const { first } = this.bounds(name, partition);
    let next = first;
    for (const record of this.scan(name, partition, first)) {
      if (record.timestamp >= before || next - first >= limit) break;
      this.#records.removeSync([id, partition, record.offset]);
      next = record.offset + 1;
    }
    if (next > first) this.#root.putSync(['first', id, partition], next);
    return next - first >= limit;
  }

  get topics(): readonly Topic[] {
    return [...this.#topics.values()];
  }

  close(): Promise<void> {
    return this.#root.close();
  }

  #number(key: Key): number {
    return (this.#root.get(key) as number | undefined) ?? 0;
  }
}
