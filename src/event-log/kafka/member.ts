/**
 * A member of a consumer group whose atomic step is a Kafka transaction.
 *
 * State that a consumer of these events keeps is a function of the log up to the offset it has committed. So what decides
 * whether a partition may be kept through a rebalance, or a step tried again after a failure, is the group's committed offset:
 * where it still is what this member left, nobody else has moved, and where it has moved the partition is lost.
 */
import { TapewatchError } from '../../market/error.ts';
import type { GroupMember, LogRecord, MemberEvent, NewRecord, Offset, Position } from '../event-log.ts';
import type { Outgoing } from './appender.ts';
import { kafkaError, shortly } from './errors.ts';
import type { Fetcher } from './fetcher.ts';
import type { Generation, Membership } from './membership.ts';
import type { Offsets } from './offsets.ts';
import type { Transactions } from './transactions.ts';

export interface MemberParts {
  readonly group: string;
  readonly topic: string;
  readonly membership: Membership;
  readonly transactions: Transactions;
  /** null for a member that reads nothing. */
  readonly fetcher: Fetcher | null;
  readonly offsets: Offsets;
  readonly maxRecords: number;
  readonly maxBytes: number;
  /** Topic names as the cluster has them, keys to partitions. */
  readonly outgoing: (records: readonly NewRecord[]) => Promise<readonly Outgoing[]>;
  readonly wholeName: (topic: string) => string;
  /** A step failed and is tried again: for the metrics. */
  readonly retrying?: ((reason: string) => void) | undefined;
  readonly onLeave: () => void;
}

/** What is held of one partition. Replaced, never changed back: a late answer to an old one finds no owner. */
interface Held {
  readonly partition: number;
  committed: Offset | null;
  position: Offset;
  ready: LogRecord[];
  /** Where to read on beyond `ready`. */
  next: Offset;
  bytes: number;
  reading: boolean;
}

const RETRY_MS = 200;
const FOREVER_MS = 0x7fffffff;

export class Member implements GroupMember {
  readonly #parts: MemberParts;
  readonly #held = new Map<number, Held>();
  readonly #events: MemberEvent[] = [];
  readonly #gone = new AbortController();
  #joined: Generation | null = null;
  #settled: Generation | null = null;
  #taken = false;
  #turn = 0;
  #wake = Promise.withResolvers<void>();

  constructor(parts: MemberParts) {
    this.#parts = parts;
  }

  /** Partitions held, for the leader of the group. */
  get owned(): readonly number[] {
    return [...this.#held.keys()];
  }

  joined(generation: Generation | null): void {
    if (generation === null) this.#taken = true;
    else this.#joined = generation;
    this.#signal();
  }

  async next(signal?: AbortSignal): Promise<MemberEvent> {
    const stopped = new Promise<void>((resolve) => signal?.addEventListener('abort', () => resolve(), { once: true }));
    for (;;) {
      if (signal?.aborted || this.#gone.signal.aborted)
        throw new TapewatchError('aborted', 'Reading the log was stopped.');
      const woken = this.#wake.promise;
      await this.#settle(signal);
      const event = this.#events.shift() ?? this.#batch();
      if (event) return event;
      await Promise.race([woken, stopped]);
    }
  }

  seek(partition: number, offset: Offset): void {
    const held = this.#held.get(partition);
    if (!held) return;
    // A new object: what is being fetched for the old one is dropped.
    const { committed } = held;
    this.#hold({ partition, committed, position: offset, ready: [], next: offset, bytes: 0, reading: false });
  }

  /**
   * Tries until it is known what became of the step, through rebalances and outages of brokers. `fenced` where its
   * partitions are no longer this member's, or not where it left them.
   */
  async commit(outputs: readonly NewRecord[], offsets: readonly Position[]): Promise<void> {
    const { outgoing, transactions, membership, retrying } = this.#parts;
    const messages = await outgoing(outputs);
    const steps = offsets.map(({ topic, partition, offset }) => ({
      topic: this.#parts.wholeName(topic),
      partition,
      offset,
    }));
    // Of a foreign group's offsets nothing is known: they are committed as they are.
    for (;;) {
      await this.#settle();
      this.#mustHold(steps);
      const tried = this.#settled!;
      const { memberId, generation } = tried;
      try {
        await transactions.run(messages, steps, { consumer: membership.consumer, memberId, generation });
        break;
      } catch (error) {
        retrying?.(shortly(error));
        // First a sign that this process still is a member: a zombie must not fence the one that took its place. A generation
        // joined since the step began is one; a heartbeat may be a second away, for which partitions would stand still.
        if (this.#joined === tried) await membership.confirmed();
        if (await this.#cameThrough(steps)) break;
      }
    }
    for (const { partition, offset } of steps) {
      const held = this.#held.get(partition);
      if (held) held.committed = offset;
    }
  }

  async leave(): Promise<void> {
    if (this.#gone.signal.aborted) return;
    this.#gone.abort();
    this.#signal();
    this.#held.clear();
    const { membership, transactions, fetcher, onLeave } = this.#parts;
    await Promise.all([membership.leave(), transactions.close(), fetcher?.close()]);
    onLeave();
  }

  /**
   * After a step that failed: settles the old transaction, then looks whether it was committed after all.
   * @returns false where it was not and may be tried again
   * @throws `fenced` where the partitions are another's, or have been
   */
  async #cameThrough(steps: readonly Position[]): Promise<boolean> {
    const { transactions, offsets, group, topic } = this.#parts;
    for (;;) {
      this.#mustGoOn();
      try {
        await transactions.restart();
        const found = await offsets.committed(
          group,
          topic,
          steps.map(({ partition }) => partition),
        );
        if (steps.every(({ partition, offset }) => found.get(partition) === offset)) return true;
        const unmoved = steps.every(({ partition }) => found.get(partition) === this.#held.get(partition)?.committed);
        if (unmoved) return false;
        this.#lose(steps.map(({ partition }) => partition));
        throw fenced();
      } catch (error) {
        if (error instanceof TapewatchError && error.code === 'fenced') throw error;
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }

  #mustGoOn(): void {
    if (this.#gone.signal.aborted) throw new TapewatchError('aborted', 'The member has left its group.');
    if (this.#taken)
      throw new TapewatchError(
        'log_busy',
        'Another process runs under the same --instance and has taken over. Give each process a name of its own.',
      );
  }

  #mustHold(steps: readonly Position[]): void {
    if (!steps.every(({ partition }) => this.#held.has(partition))) throw fenced();
  }

  /** Brings what is held in line with the generation last joined; its events go to the queue, revoked before assigned. */
  async #settle(signal?: AbortSignal): Promise<void> {
    const { offsets, group, topic } = this.#parts;
    while (this.#joined !== this.#settled) {
      this.#mustGoOn();
      if (signal?.aborted) return;
      const { partitions, generation } = this.#joined!;
      const joined = this.#joined!;
      let committed: ReadonlyMap<number, Offset | null>;
      const first = new Map<number, Offset>();
      try {
        committed = await offsets.committed(group, topic, partitions);
        for (const partition of partitions)
          if (!this.#held.has(partition) && committed.get(partition) === null)
            first.set(partition, (await offsets.bounds(topic, partition)).first);
      } catch (error) {
        if (kafkaError('', error).code === 'settings') throw kafkaError(`Reading the offsets of group ${group}`, error);
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
        continue;
      }
      if (joined !== this.#joined) continue;
      this.#settled = joined;
      const kept = (p: number): boolean => partitions.includes(p) && committed.get(p) === this.#held.get(p)?.committed;
      this.#lose([...this.#held.keys()].filter((p) => !kept(p)));
      this.#take(partitions, generation, committed, first);
    }
    this.#mustGoOn();
  }

  #take(
    partitions: readonly number[],
    generation: number,
    committed: ReadonlyMap<number, Offset | null>,
    first: ReadonlyMap<number, Offset>,
  ): void {
    const fresh = partitions.filter((p) => !this.#held.has(p));
    for (const partition of fresh) {
      const at = committed.get(partition) ?? null;
      const position = at ?? first.get(partition) ?? 0;
      this.#hold({ partition, committed: at, position, ready: [], next: position, bytes: 0, reading: false });
    }
    if (partitions.length === 0) return;
    const assigned = fresh.map((partition) => ({
      topic: this.#shortName,
      partition,
      committed: committed.get(partition) ?? null,
    }));
    this.#events.push({ kind: 'assigned', partitions: assigned, generation });
  }

  #lose(partitions: readonly number[]): void {
    const lost = partitions.filter((p) => this.#held.delete(p));
    if (lost.length === 0) return;
    this.#events.push({
      kind: 'revoked',
      partitions: lost.map((partition) => ({ topic: this.#shortName, partition })),
    });
    // What is still assigned here comes again, from the committed offset.
    if (this.#joined === this.#settled) this.#settled = null;
  }

  get #shortName(): string {
    const { topic, wholeName } = this.#parts;
    return topic.slice(wholeName('').length);
  }

  #hold(held: Held): void {
    this.#held.set(held.partition, held);
  }

  /** The next batch, partitions taking turns; what is read ahead is bounded by two answers a partition. */
  #batch(): MemberEvent | null {
    if (!this.#parts.fetcher) return null;
    const held = [...this.#held.values()];
    for (const each of held) this.#readAhead(each);
    for (let i = 0; i < held.length; i++) {
      const each = held[(this.#turn + i) % held.length]!;
      if (each.ready.length === 0 && each.next === each.position) continue;
      this.#turn = (this.#turn + i + 1) % held.length;
      const batch = this.#cut(each);
      this.#readAhead(each);
      if (batch) return batch;
    }
    return null;
  }

  #cut(held: Held): MemberEvent | null {
    const { maxRecords } = this.#parts;
    const whole = held.ready.length <= maxRecords;
    const records = whole ? held.ready : held.ready.slice(0, maxRecords);
    held.ready = whole ? [] : held.ready.slice(maxRecords);
    held.bytes = whole ? 0 : held.bytes * (held.ready.length / (held.ready.length + records.length));
    const next = whole ? held.next : records.at(-1)!.offset + 1;
    held.position = next;
    // Control records alone are no batch: the next one's offset passes them.
    if (records.length === 0) return null;
    return { kind: 'batch', topic: this.#shortName, partition: held.partition, records, next };
  }

  #readAhead(held: Held): void {
    const { fetcher, topic, maxBytes } = this.#parts;
    if (!fetcher || held.reading || held.bytes >= maxBytes) return;
    held.reading = true;
    const request = {
      topic,
      partition: held.partition,
      from: held.next,
      maxBytes,
      waitMs: FOREVER_MS,
      signal: this.#gone.signal,
    };
    void fetcher.fetch(request).then(async ({ records, next, outOfRange }) => {
      held.reading = false;
      if (this.#held.get(held.partition) !== held || this.#gone.signal.aborted) return;
      if (outOfRange) return this.#outOfRange(held);
      for (const record of records) {
        held.ready.push(record);
        held.bytes += record.value?.length ?? 0;
      }
      held.next = next;
      this.#readAhead(held);
      this.#signal();
    });
  }

  /** What is no longer there is passed over to the oldest record; what is not there yet is waited for. */
  async #outOfRange(held: Held): Promise<void> {
    held.reading = true;
    const { offsets, topic } = this.#parts;
    const bounds = await offsets.bounds(topic, held.partition).catch(() => null);
    if (!bounds || held.next > bounds.end) await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    else if (held.next < bounds.first) held.next = bounds.first;
    held.reading = false;
    this.#signal();
  }

  #signal(): void {
    this.#wake.resolve();
    this.#wake = Promise.withResolvers<void>();
  }
}

function fenced(): TapewatchError {
  return new TapewatchError(
    'fenced',
    'Another member owns these partitions now, or has: their state is to be restored.',
  );
}
