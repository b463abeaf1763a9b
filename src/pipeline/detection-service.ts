/** Consume, detect, produce: one atomic step a batch. Snapshots now and then, restore on assignment. */
import type { Policy } from '../detection/detector.ts';
import type { EventLog, GroupMember, LogRecord, NewRecord, Offset } from '../event-log/event-log.ts';
import type { DetectionTopics } from '../event-log/topics.ts';
import { decodeTapeRecord } from '../market/codec.ts';
import { TapewatchError } from '../market/error.ts';
import { type Anomaly, isTrade, type TapeRecord } from '../market/records.ts';
import { Partition } from './partition.ts';
import { type Policies, readSnapshots } from './restore.ts';

export interface DetectionServiceOptions {
  readonly log: EventLog;
  readonly topics: DetectionTopics;
  readonly group: string;
  /** In force until a partition's first activation. */
  readonly policy: Policy;
  readonly policies: Policies;
  /** A name that survives restarts (static membership). */
  readonly instance?: string;
  /** Records a step takes at most. */
  readonly maxRecords?: number;
  /** ms since the epoch: when snapshots are due. */
  readonly now: () => number;
  readonly events: {
    /** A step of so many trades was committed. */
    batch?(trades: number, seconds: number): void;
    anomaly?(anomaly: Anomaly): void;
    /** So many of the partitions assigned are still to be restored. */
    restoring?(partitions: number): void;
    restored?(partition: number, records: number, seconds: number): void;
    /** Snapshots can't be used: state is rebuilt from the whole log. */
    rebuilding?(partition: number, reason: string): void;
    deadLetter?(reason: string): void;
    /** A step did not commit; what it held is done again, by whoever owns the partition. */
    aborted?(partition: number, error: TapewatchError): void;
  };
}

interface Decoded {
  readonly offset: Offset;
  readonly record: TapeRecord;
  readonly source: LogRecord;
}

interface DeadLetter {
  readonly source: LogRecord;
  readonly reason: string;
}

/** Snapshots in one of the last commits before the end. */
const LAST_SNAPSHOTS = 200;

export class DetectionService {
  readonly #options: DetectionServiceOptions;
  readonly #partitions = new Map<number, Partition>();
  /** Where each partition's next record stands. */
  readonly #next = new Map<number, Offset>();
  #ready = false;

  constructor(options: DetectionServiceOptions) {
    this.#options = options;
  }

  /** Whether partitions are assigned and their state restored. */
  get isReady(): boolean {
    return this.#ready && this.#partitions.size > 0;
  }

  /** Runs until the signal fires; then what was taken is finished and snapshots are written. */
  async run(signal: AbortSignal): Promise<void> {
    const { log, topics, group, instance, maxRecords } = this.#options;
    const member = await log.join({
      group,
      topic: topics.trades,
      ...(instance ? { instance } : {}),
      ...(maxRecords ? { maxRecords } : {}),
    });
    try {
      for (;;) {
        const event = await member.next(signal);
        if (event.kind === 'revoked') for (const { partition } of event.partitions) this.#drop(partition);
        else if (event.kind === 'assigned') {
          this.#ready = false;
          await this.#restoreAll(event.partitions);
          this.#ready = true;
        } else await this.#step(member, event.partition, event.records, event.next);
      }
    } catch (error) {
      if (!(error instanceof TapewatchError && error.code === 'aborted')) throw error;
      await this.#snapshotAll(member);
    } finally {
      this.#ready = false;
      await member.leave();
    }
  }

  async #step(member: GroupMember, number: number, records: readonly LogRecord[], next: Offset): Promise<void> {
    const { events, now, topics } = this.#options;
    const began = now();
    const partition = this.#partitions.get(number);
    if (!partition) return;
    const dead: DeadLetter[] = [];
    let trades = 0;
    for (const { record, offset, source } of await this.#decode(records, dead)) {
      if (isTrade(record)) trades++;
      if (!partition.feed(record, offset, began)) dead.push({ source, reason: 'activates what there is not' });
    }
    const { outputs, anomalies } = partition.take();
    if (topics.deadLetters !== null)
      for (const { source, reason } of dead) outputs.push(deadLetter(topics.deadLetters, source, reason));
    outputs.push(...partition.snapshots(next, began));
    try {
      await member.commit(outputs, [{ topic: topics.trades, partition: number, offset: next }]);
    } catch (error) {
      if (!(error instanceof TapewatchError && (error.code === 'fenced' || error.retryable))) throw error;
      events.aborted?.(number, error);
      this.#drop(number);
      if (error.code !== 'fenced') await this.#again(member, number);
      return;
    }
    this.#next.set(number, next);
    for (const { reason } of dead) events.deadLetter?.(reason);
    for (const anomaly of anomalies) events.anomaly?.(anomaly);
    events.batch?.(trades, (now() - began) / 1000);
  }

  /** The step before last counts: state goes back to what is committed, and reading with it. */
  async #again(member: GroupMember, number: number): Promise<void> {
    const { log, group, topics } = this.#options;
    const committed = await log.committed(group, topics.trades, number);
    await this.#restore(number, committed);
    member.seek(number, committed ?? (await log.bounds(topics.trades, number)).first);
  }

  async #restoreAll(
    partitions: readonly { readonly partition: number; readonly committed: Offset | null }[],
  ): Promise<void> {
    const { restoring } = this.#options.events;
    let left = partitions.length;
    restoring?.(left);
    for (const { partition, committed } of partitions) {
      await this.#restore(partition, committed);
      restoring?.(--left);
    }
  }

  #drop(number: number): void {
    this.#partitions.delete(number);
    this.#next.delete(number);
  }

  /** Records that can be read, and the models they name at hand; the others go to the dead letters, and the stream goes on. */
  async #decode(records: readonly LogRecord[], dead: DeadLetter[]): Promise<Decoded[]> {
    const decoded: Decoded[] = [];
    const models: string[] = [];
    for (const source of records) {
      try {
        const record = decodeTapeRecord(source.value ?? new Uint8Array(0));
        if ('model' in record && record.model !== null) models.push(record.model);
        decoded.push({ offset: source.offset, record, source });
      } catch (error) {
        if (!(error instanceof TapewatchError)) throw error;
        dead.push({ source, reason: error.message });
      }
    }
    if (models.length > 0) await this.#options.policies.prepare(models);
    return decoded;
  }

  /** Snapshots, then the records from there to the committed offset, outputs suppressed. */
  async #restore(number: number, committed: Offset | null): Promise<void> {
    const { log, topics, group, policy, policies, now, events } = this.#options;
    const began = now();
    const partition = new Partition({ partition: number, group, topics, policy, resolve: policies.resolve });
    this.#partitions.set(number, partition);
    if (committed === null) return;
    const stored = await readSnapshots(this.#options, number);
    if (stored.rebuild !== null) events.rebuilding?.(number, stored.rebuild);
    if (stored.state) partition.detector.partitionState = stored.state;
    for (const { symbol, head, policy: its, state, bytes } of stored.symbols)
      partition.restore(symbol, head, its, state, bytes);
    let replayed = 0;
    for (let at = stored.from; at < committed; ) {
      const { records, next } = await log.read(topics.trades, number, at);
      if (records.length === 0) break;
      for (const { record, offset } of await this.#decode(records, [])) {
        if (offset < committed) partition.feed(record, offset, began);
      }
      replayed += records.length;
      at = next;
      partition.take();
    }
    this.#next.set(number, committed);
    events.restored?.(number, replayed, (now() - began) / 1000);
  }

  /** Before the end: the next start then has nothing to replay. */
  async #snapshotAll(member: GroupMember): Promise<void> {
    const { now, topics } = this.#options;
    for (const [number, partition] of this.#partitions) {
      const offset = this.#next.get(number);
      if (offset === undefined) continue;
      const records = partition.snapshots(offset, now(), true);
      try {
        for (let i = 0; i < records.length; i += LAST_SNAPSHOTS)
          await member.commit(records.slice(i, i + LAST_SNAPSHOTS), [
            { topic: topics.trades, partition: number, offset },
          ]);
      } catch (error) {
        // Without them the next start replays some more: no reason to end in a failure.
        if (!(error instanceof TapewatchError)) throw error;
      }
    }
  }
}

function deadLetter(to: string, { topic, partition, offset, key, value }: LogRecord, reason: string): NewRecord {
  const bytes = Buffer.from(value ?? []).toString('base64');
  const letter = Buffer.from(JSON.stringify({ reason, topic, partition, offset, value: bytes }));
  return { topic: to, key, value: letter };
}
