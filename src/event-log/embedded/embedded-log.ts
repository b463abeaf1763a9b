/** The log of one process: the `EventLog` port on LMDB. Every acknowledged write is on disk. */
import { mkdirSync, statfsSync } from 'node:fs';
import { TapewatchError } from '../../market/error.ts';
import type {
  Bounds,
  EventLog,
  GroupMember,
  LogRecord,
  MemberOptions,
  NewRecord,
  Position,
  ReadOptions,
  ReadResult,
  TopicSpec,
} from '../event-log.ts';
import { checkFolder, sealFolder, unsealFolder } from './check.ts';
import { Groups } from './group.ts';
import { lockFolder } from './lock.ts';
import { Storage } from './storage.ts';

export interface EmbeddedLogOptions {
  readonly dir: string;
  /** ms since the epoch, for record times and retention. */
  readonly now: () => number;
}

export interface EmbeddedLog extends EventLog {
  /** Drops what is older than its topic keeps, a little at a time. */
  applyRetention(): Promise<void>;
  /** Takes over records of another log with their offsets and times; those it has are passed over. */
  mirror(records: readonly LogRecord[]): Promise<void>;
}

const RETENTION_STEP = 2000;
/** lmdb calls a full disk an input/output error; with less than this left, full is what it is. */
const FULL_BELOW_BYTES = 4 << 20;

function freeBytes(dir: string): number {
  const { bavail, bsize } = statfsSync(dir);
  return bavail * bsize;
}

/** @throws TapewatchError `log_busy`, `log_corrupt` or `log_full`, saying what to do. */
export async function openEmbeddedLog(options: EmbeddedLogOptions): Promise<EmbeddedLog> {
  const { dir } = options;
  try {
    mkdirSync(dir, { recursive: true });
  } catch (cause) {
    const reason = (cause as Error).message;
    throw new TapewatchError(
      'log_unavailable',
      `Can't make the data folder ${dir}: ${reason}. Choose another with --data.`,
      { cause },
    );
  }
  const unlock = lockFolder(dir);
  try {
    await checkFolder(dir);
    unsealFolder(dir);
    return new Embedded(new Storage(`${dir}/log`), options, unlock);
  } catch (cause) {
    unlock();
    throw new TapewatchError(
      'log_corrupt',
      `The data folder ${dir} can't be opened (${(cause as Error).message}). Move it away and start again: trades since are fetched anew, older ones stay in the folder you moved.`,
      { cause },
    );
  }
}

class Embedded implements EmbeddedLog {
  readonly #storage: Storage;
  readonly #now: () => number;
  readonly #dir: string;
  readonly #unlock: () => void;
  readonly #groups: Groups;
  readonly #waiting = new Map<string, Set<() => void>>();

  constructor(storage: Storage, options: EmbeddedLogOptions, unlock: () => void) {
    this.#storage = storage;
    this.#now = options.now;
    this.#dir = options.dir;
    this.#unlock = unlock;
    this.#groups = new Groups({
      partitions: (topic) => storage.topic(topic).partitions,
      committed: (group, topic, partition) => storage.committed(group, topic, partition),
      first: (topic, partition) => storage.bounds(topic, partition).first,
      nextGeneration: (group) => this.#write(() => storage.nextGeneration(group)),
      readNow: (topic, partition, from, records, bytes) => this.#readNow(topic, partition, from, records, bytes),
      commit: (group, outputs, offsets, owns) => this.#commit(group, outputs, offsets, owns),
      appended: (topic, signal) => this.#appended(topic, signal),
    });
  }

  async ensureTopics(specs: readonly TopicSpec[]): Promise<void> {
    await this.#write(() => {
      for (const spec of specs) this.#storage.ensure(spec);
    });
  }

  partitions(topic: string): Promise<number> {
    return Promise.resolve().then(() => this.#storage.topic(topic).partitions);
  }

  async append(records: readonly NewRecord[]): Promise<readonly Position[]> {
    const now = this.#now();
    const positions = await this.#write(() => records.map((record) => this.#storage.append(record, now)));
    this.#notify(records);
    return positions;
  }

  async mirror(records: readonly LogRecord[]): Promise<void> {
    await this.#write(() => {
      for (const record of records) {
        const { topic, partition, offset, timestamp } = record;
        if (offset >= this.#storage.bounds(topic, partition).end) this.#storage.append(record, timestamp, offset);
      }
    });
    this.#notify(records);
  }

  async read(topic: string, partition: number, from: number, options: ReadOptions = {}): Promise<ReadResult> {
    const { maxRecords = 5000, maxBytes = 4 << 20, waitMs = 0, signal } = options;
    const until = AbortSignal.any([AbortSignal.timeout(Math.max(1, waitMs)), ...(signal ? [signal] : [])]);
    for (;;) {
      const appended = waitMs > 0 ? this.#appended(topic, until) : null;
      const result = this.#readNow(topic, partition, from, maxRecords, maxBytes);
      if (result.records.length > 0 || !appended || until.aborted) return result;
      await appended;
    }
  }

  bounds(topic: string, partition: number): Promise<Bounds> {
    return Promise.resolve().then(() => this.#storage.bounds(topic, partition));
  }

  async *latest(topic: string, partition: number): AsyncIterable<LogRecord> {
    yield* this.#storage.scan(topic, partition, 0);
  }

  committed(group: string, topic: string, partition: number): Promise<number | null> {
    return Promise.resolve(this.#storage.committed(group, topic, partition));
  }

  join(options: MemberOptions): Promise<GroupMember> {
    return this.#groups.join(options);
  }

  async applyRetention(): Promise<void> {
    for (const { name, partitions, retentionMs } of this.#storage.topics) {
      if (retentionMs === null) continue;
      const before = this.#now() - retentionMs;
      for (let p = 0; p < partitions; p++) {
        while (await this.#write(() => this.#storage.dropOlder(name, p, before, RETENTION_STEP)));
      }
    }
  }

  async close(): Promise<void> {
    await this.#storage.close();
    sealFolder(this.#dir);
    this.#unlock();
  }

  async #commit(
    group: string,
    outputs: readonly NewRecord[],
    offsets: readonly Position[],
    owns: () => boolean,
  ): Promise<void> {
    const now = this.#now();
    await this.#write(() => {
      if (!owns()) throw new TapewatchError('fenced', 'Another member owns these partitions now.');
      for (const output of outputs) this.#storage.append(output, now);
      for (const offset of offsets) this.#storage.commitOffset(group, offset);
    });
    this.#notify(outputs);
  }

  #readNow(topic: string, partition: number, from: number, maxRecords: number, maxBytes: number): ReadResult {
    const records: LogRecord[] = [];
    let bytes = 0;
    for (const record of this.#storage.scan(topic, partition, from)) {
      records.push(record);
      bytes += record.value?.length ?? 0;
      if (records.length >= maxRecords || bytes >= maxBytes) break;
    }
    const last = records.at(-1);
    return { records, next: last ? last.offset + 1 : Math.max(from, this.#storage.bounds(topic, partition).first) };
  }

  async #write<T>(write: () => T): Promise<T> {
    try {
      return await this.#storage.transaction(write);
    } catch (cause) {
      if (cause instanceof TapewatchError) throw cause;
      const { message } = cause as Error;
      if (/MDB_MAP_FULL|ENOSPC|No space left/i.test(message) || freeBytes(this.#dir) < FULL_BELOW_BYTES) {
        throw new TapewatchError(
          'log_full',
          `The disk of the data folder ${this.#dir} is full: free some space, then start again. Nothing acknowledged is lost.`,
          { cause },
        );
      }
      throw new TapewatchError('log_unavailable', `Writing to the data folder ${this.#dir} failed: ${message}.`, {
        cause,
      });
    }
  }

  #notify(records: readonly NewRecord[]): void {
    for (const topic of new Set(records.map((record) => record.topic))) {
      const waiting = this.#waiting.get(topic);
      if (!waiting) continue;
      this.#waiting.delete(topic);
      for (const wake of waiting) wake();
    }
  }

  #appended(topic: string, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        signal.removeEventListener('abort', wake);
        this.#waiting.get(topic)?.delete(wake);
        resolve();
      };
      if (signal.aborted) return resolve();
      signal.addEventListener('abort', wake, { once: true });
      let waiting = this.#waiting.get(topic);
      if (!waiting) {
        waiting = new Set();
        this.#waiting.set(topic, waiting);
      }
      waiting.add(wake);
    });
  }
}
