/**
 * A log whose topics are read from a copy on this machine: `serve` keeps anomalies and bars so. Offsets are the source's, so
 * that a cursor means the same on every replica. The rest, and every write, goes to the source.
 */
import { TapewatchError } from '../market/error.ts';
import type { EmbeddedLog } from './embedded/embedded-log.ts';
import type {
  Bounds,
  EventLog,
  GroupMember,
  LogRecord,
  MemberOptions,
  NewRecord,
  Offset,
  Position,
  ReadOptions,
  ReadResult,
  TopicSpec,
} from './event-log.ts';

export interface MirrorOptions {
  readonly source: EventLog;
  readonly local: EmbeddedLog;
  /** Topics to copy. */
  readonly specs: readonly TopicSpec[];
}

const WAIT_MS = 1000;

export class MirroredLog implements EventLog {
  readonly #source: EventLog;
  readonly #local: EmbeddedLog;
  readonly #specs: readonly TopicSpec[];
  readonly #copied: ReadonlySet<string>;
  #behind: number;

  constructor({ source, local, specs }: MirrorOptions) {
    this.#source = source;
    this.#local = local;
    this.#specs = specs;
    this.#copied = new Set(specs.map(({ name }) => name));
    this.#behind = specs.reduce((sum, { partitions }) => sum + partitions, 0);
  }

  /** Whether everything that was there at the start has been copied. */
  get hasCaughtUp(): boolean {
    return this.#behind === 0;
  }

  /**
   * Copies from where it stopped, until the signal fires.
   * @throws TapewatchError `log_corrupt` where the copy is of another log
   */
  async run(signal: AbortSignal): Promise<void> {
    await this.#local.ensureTopics(this.#specs);
    const all = this.#specs.flatMap(({ name, partitions }) =>
      Array.from({ length: partitions }, (_, partition) => this.#copy(name, partition, signal)),
    );
    await Promise.all(all);
  }

  async #copy(topic: string, partition: number, signal: AbortSignal): Promise<void> {
    const { end } = await this.#source.bounds(topic, partition);
    let { end: from } = await this.#local.bounds(topic, partition);
    if (from > end) {
      throw new TapewatchError(
        'log_corrupt',
        `The local copy of ${topic} goes beyond the log: it is of another one. Remove the folder given with --data, or give another.`,
      );
    }
    let isBehind = true;
    while (!signal.aborted) {
      if (isBehind && from >= end) {
        isBehind = false;
        this.#behind--;
      }
      const { records, next } = await this.#source.read(topic, partition, from, { waitMs: WAIT_MS, signal });
      if (records.length > 0) await this.#local.mirror(records);
      from = next;
    }
  }

  #of(topic: string): EventLog {
    return this.#copied.has(topic) ? this.#local : this.#source;
  }

  ensureTopics(specs: readonly TopicSpec[]): Promise<void> {
    return this.#source.ensureTopics(specs);
  }

  partitions(topic: string): Promise<number> {
    return this.#source.partitions(topic);
  }

  append(records: readonly NewRecord[]): Promise<readonly Position[]> {
    return this.#source.append(records);
  }

  read(topic: string, partition: number, from: Offset, options?: ReadOptions): Promise<ReadResult> {
    return this.#of(topic).read(topic, partition, from, options);
  }

  bounds(topic: string, partition: number): Promise<Bounds> {
    return this.#of(topic).bounds(topic, partition);
  }

  latest(topic: string, partition: number): AsyncIterable<LogRecord> {
    return this.#of(topic).latest(topic, partition);
  }

  committed(group: string, topic: string, partition: number): Promise<Offset | null> {
    return this.#source.committed(group, topic, partition);
  }

  join(options: MemberOptions): Promise<GroupMember> {
    return this.#source.join(options);
  }

  async close(): Promise<void> {
    await this.#source.close();
    await this.#local.close();
  }
}
