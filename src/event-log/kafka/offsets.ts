/** What the brokers know about partitions and groups: bounds, committed offsets, lag. */
import { Admin, type BaseOptions, Consumer } from '@platformatic/kafka';
import type { Bounds, Offset } from '../event-log.ts';

const EARLIEST = -2n;
const LATEST = -1n;
const READ_COMMITTED = 1;

export interface Lag {
  readonly partition: number;
  readonly end: Offset;
  readonly committed: Offset | null;
  /** Committed records that the group has not passed; offsets without a record count too. */
  readonly lag: number;
}

export class Offsets {
  readonly #admin: Admin;
  readonly #consumer: Consumer;

  constructor(options: BaseOptions, groupId: string) {
    this.#admin = new Admin(options);
    this.#consumer = new Consumer({ ...options, groupId, autocommit: false });
  }

  get admin(): Admin {
    return this.#admin;
  }

  async bounds(topic: string, partition: number): Promise<Bounds> {
    const [first, end] = await Promise.all([
      this.#list(topic, EARLIEST, [partition]),
      this.#list(topic, LATEST, [partition]),
    ]);
    return { first: first[partition]!, end: Math.max(end[partition]!, first[partition]!) };
  }

  /**
   * Offsets a group has committed. Stable ones: while a transaction that would move one is being decided this waits, since
   * the client's own `listCommittedOffsets` would give the offset before it.
   */
  async committed(
    group: string,
    topic: string,
    partitions: readonly number[],
  ): Promise<ReadonlyMap<number, Offset | null>> {
    const found = new Map<number, Offset | null>(partitions.map((partition) => [partition, null]));
    if (partitions.length === 0) return found;
    const groups = await this.#admin.listConsumerGroupOffsets({
      groups: [{ groupId: group, topics: [{ name: topic, partitionIndexes: [...partitions] }] }],
      requireStable: true,
    });
    for (const { name, partitions: offsets } of groups[0]?.topics ?? []) {
      if (name !== topic) continue;
      for (const { partitionIndex, committedOffset } of offsets)
        found.set(partitionIndex, committedOffset < 0n ? null : Number(committedOffset));
    }
    return found;
  }

  async lag(group: string, topic: string, count: number): Promise<readonly Lag[]> {
    const partitions = Array.from({ length: count }, (_, partition) => partition);
    const [first, end, committed] = await Promise.all([
      this.#list(topic, EARLIEST, partitions),
      this.#list(topic, LATEST, partitions),
      this.committed(group, topic, partitions),
    ]);
    return partitions.map((partition) => {
      const at = committed.get(partition) ?? null;
      return {
        partition,
        end: end[partition]!,
        committed: at,
        lag: Math.max(0, end[partition]! - (at ?? first[partition]!)),
      };
    });
  }

  async close(): Promise<void> {
    await Promise.all([this.#admin.close().catch(() => undefined), this.#consumer.close(true).catch(() => undefined)]);
  }

  async #list(topic: string, timestamp: bigint, partitions: number[]): Promise<readonly number[]> {
    try {
      const offsets = await this.#consumer.listOffsets({
        topics: [topic],
        partitions: { [topic]: partitions },
        timestamp,
        isolationLevel: READ_COMMITTED,
      });
      return offsets.get(topic)!.map(Number);
    } catch (error) {
      // The client goes on asking the leader it knows: who asks again is to find the new one.
      this.#consumer.clearMetadata();
      throw error;
    }
  }
}
