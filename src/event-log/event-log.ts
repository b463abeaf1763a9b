/**
 * The port behind which the log lives: partitioned topics, consumer groups, one atomic step.
 * Adapters: `embedded/` (LMDB, one process) and `kafka/`. Both pass `test/contract/event-log.ts`.
 * Everything a reader sees is committed; an acknowledged write is durable.
 */

export type Offset = number;

export interface TopicSpec {
  readonly name: string;
  readonly partitions: number;
  /** `compact` keeps the last record of each key; `delete` drops by age. */
  readonly cleanup: 'delete' | 'compact';
  /** Age after which records may go, ms; null keeps them. */
  readonly retentionMs: number | null;
}

export interface LogRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: Offset;
  readonly key: string | null;
  /** null is a tombstone: in a compacted topic it removes the key. */
  readonly value: Uint8Array | null;
  /** When it was appended, ms since the epoch. */
  readonly timestamp: number;
}

export interface NewRecord {
  readonly topic: string;
  readonly key: string | null;
  readonly value: Uint8Array | null;
  /** Where it goes; without it murmur2 of the key (partition 0 where the key is null). */
  readonly partition?: number;
}

export interface Position {
  readonly topic: string;
  readonly partition: number;
  readonly offset: Offset;
}

export interface Bounds {
  /** Offset of the oldest record still there. */
  readonly first: Offset;
  /** One past the last committed record: where the next goes or a larger number. */
  readonly end: Offset;
}

export interface ReadOptions {
  readonly maxRecords?: number;
  readonly maxBytes?: number;
  /** How long to wait for a first record, ms; 0 returns at once. */
  readonly waitMs?: number;
  readonly signal?: AbortSignal;
}

export interface ReadResult {
  readonly records: readonly LogRecord[];
  /** Where to read on: beyond the last record given, and beyond offsets that hold nothing for a reader. */
  readonly next: Offset;
}

/** What a member learns: its partitions change, or records arrive. A rebalance first revokes, then assigns. */
export type MemberEvent =
  | {
      readonly kind: 'assigned';
      /** Partitions new to this member, each with the group's committed offset (null: none yet). */
      readonly partitions: readonly {
        readonly topic: string;
        readonly partition: number;
        readonly committed: Offset | null;
      }[];
      /** Grows with every change of the group; the fencing epoch of what this member writes. */
      readonly generation: number;
    }
  | { readonly kind: 'revoked'; readonly partitions: readonly { readonly topic: string; readonly partition: number }[] }
  | {
      readonly kind: 'batch';
      readonly topic: string;
      readonly partition: number;
      readonly records: readonly LogRecord[];
      readonly next: Offset;
    };

export interface MemberOptions {
  readonly group: string;
  readonly topic: string;
  /** A name that survives restarts: static membership, and the transactional id's ending. */
  readonly instance?: string;
  /** false: share partitions and commit offsets, but receive no batches (capture). */
  readonly read?: boolean;
  readonly maxRecords?: number;
  readonly maxBytes?: number;
}

/** One member of a consumer group. Calls must not overlap, except `leave`. */
export interface GroupMember {
  /**
   * The next event; waits for it. After `assigned`, call `seek` to start elsewhere than at the committed offset
   * (or at the first record where none is committed). Rejects with code `aborted` when the signal fires.
   */
  next(signal?: AbortSignal): Promise<MemberEvent>;
  seek(partition: number, offset: Offset): void;
  /**
   * The atomic step: `outputs` become visible and `offsets` committed together, or neither. Throws `fenced` (not
   * retryable: drop the state of those partitions and go on with `next`) where this member no longer owns them.
   */
  commit(outputs: readonly NewRecord[], offsets: readonly Position[]): Promise<void>;
  leave(): Promise<void>;
}

export interface EventLog {
  /** Makes the topics that are missing; throws `settings` where one exists with other partitions or cleanup. */
  ensureTopics(specs: readonly TopicSpec[]): Promise<void>;
  /** Number of partitions; throws `not_found`. */
  partitions(topic: string): Promise<number>;
  /** Appends in order per partition; resolves when durable. One call is atomic per partition at least. */
  append(records: readonly NewRecord[]): Promise<readonly Position[]>;
  /** Records from `from` on; an offset before the oldest record reads from the oldest. */
  read(topic: string, partition: number, from: Offset, options?: ReadOptions): Promise<ReadResult>;
  bounds(topic: string, partition: number): Promise<Bounds>;
  /** The last record of each key of one partition of a compacted topic, tombstones left out, by offset. */
  latest(topic: string, partition: number): AsyncIterable<LogRecord>;
  /** The group's committed offset, null where it has none. */
  committed(group: string, topic: string, partition: number): Promise<Offset | null>;
  join(options: MemberOptions): Promise<GroupMember>;
  close(): Promise<void>;
}
