/** The log of many machines: the `EventLog` port on Apache Kafka. */
import { randomUUID } from 'node:crypto';
import { Admin, type MessageToProduce } from '@platformatic/kafka';
import { TapewatchError } from '../../market/error.ts';
import { partitionOf } from '../../market/partition.ts';
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
} from '../event-log.ts';
import { Appender, type Outgoing } from './appender.ts';
import { kafkaError } from './errors.ts';
import { Fetcher } from './fetcher.ts';
import { Member } from './member.ts';
import { Membership } from './membership.ts';
import { type Lag, Offsets } from './offsets.ts';
import { clientOptions, DEFAULTS, type KafkaOptions } from './options.ts';
import { faultsOf, refuseFixed, type TopicFault, type TopicState, Topics } from './topics.ts';
import { Transactions } from './transactions.ts';

export type { Lag } from './offsets.ts';
export type { KafkaOptions, KafkaSasl, KafkaTls } from './options.ts';
export type { TopicFault } from './topics.ts';

export interface KafkaLog extends EventLog {
  /** How far a group is behind, read from the brokers. */
  lag(group: string, topic: string): Promise<readonly Lag[]>;
  /** Everything by which the topics that are there differ from `specs`; those missing are not told. */
  checkTopics(specs: readonly TopicSpec[]): Promise<readonly TopicFault[]>;
  /** Steps of members that failed and were tried again, with Kafka's name of the reason. */
  onRetry: ((reason: string) => void) | null;
}

/** Who starts wants to know soon that a login is refused. */
const CONNECT_RETRIES = 2;
/** Attempts of a member's requests after the first: enough for a broker to fail over. */
const RETRIES = 12;
/** Of questions: few, since the client asks a dead broker again; then anew, with fresh metadata. */
const ASK_RETRIES = 2;
const ASK_AGAIN_MS = 300;
const PATIENCE_MS = 90_000;
/** For what keeps its sequence numbers only while it goes on trying: about two minutes. */
const APPEND_RETRIES = 120;
const STEP_RETRIES = 8;
const READ_RECORDS = 5000;
const READ_BYTES = 4 << 20;
const AHEAD_BYTES = 1 << 20;
const LATEST_BYTES = 8 << 20;

/** @throws TapewatchError `log_unavailable` or `settings` where no broker answers, saying what to do. */
export async function openKafkaLog(options: KafkaOptions): Promise<KafkaLog> {
  const log = new Kafka(options);
  try {
    await log.connect();
  } catch (error) {
    await log.close();
    throw error;
  }
  return log;
}

class Kafka implements KafkaLog {
  readonly #options: KafkaOptions & typeof DEFAULTS;
  readonly #offsets: Offsets;
  readonly #topics: Topics;
  readonly #fetcher: Fetcher;
  readonly #appender: Appender;
  readonly #members = new Set<Member>();
  readonly #partitions = new Map<string, number>();
  #closed = false;
  onRetry: ((reason: string) => void) | null = null;

  constructor(options: KafkaOptions) {
    const given = Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
    this.#options = { ...DEFAULTS, ...given } as KafkaOptions & typeof DEFAULTS;
    const { compression, lingerMs, batchBytes } = this.#options;
    this.#offsets = new Offsets(this.#client('admin', ASK_RETRIES), this.#whole('none'));
    this.#topics = new Topics(this.#offsets.admin);
    this.#fetcher = new Fetcher(this.#client('read', 0), this.#whole('none'));
    this.#appender = new Appender({
      client: this.#client('append', APPEND_RETRIES),
      compression,
      lingerMs,
      batchBytes,
    });
  }

  async connect(): Promise<void> {
    const { brokers } = this.#options;
    const admin = new Admin(this.#client('connect', CONNECT_RETRIES));
    try {
      await new Topics(admin).brokers();
    } catch (error) {
      throw kafkaError(`Connecting to ${brokers.join(', ')}`, error);
    } finally {
      await admin.close().catch(() => undefined);
    }
  }

  async ensureTopics(specs: readonly TopicSpec[]): Promise<void> {
    await this.#asking('Making the topics', async () => {
      const wanted = specs.map((spec) => ({ ...spec, name: this.#whole(spec.name) }));
      const replication = await this.#replication();
      const there = await this.#topics.state(wanted.map(({ name }) => name));
      refuseFixed(wanted.flatMap((spec) => this.#faults(spec, there, replication)));
      const missing = wanted.filter(({ name }) => !there.has(name));
      for (const spec of missing) await this.#topics.make(spec, replication);
      await this.#topics.led(missing.map(({ name }) => name));
      for (const { name, partitions } of specs) this.#partitions.set(name, partitions);
    });
  }

  checkTopics(specs: readonly TopicSpec[]): Promise<readonly TopicFault[]> {
    return this.#asking('Checking the topics', async () => {
      const wanted = specs.map((spec) => ({ ...spec, name: this.#whole(spec.name) }));
      const replication = await this.#replication();
      const there = await this.#topics.state(wanted.map(({ name }) => name));
      return wanted.flatMap((spec) => this.#faults(spec, there, replication));
    });
  }

  async partitions(topic: string): Promise<number> {
    const known = this.#partitions.get(topic);
    if (known !== undefined) return known;
    const name = this.#whole(topic);
    const state = (await this.#asking(`Asking for topic ${name}`, () => this.#topics.state([name]))).get(name);
    if (!state)
      throw new TapewatchError('not_found', `There is no topic ${name} in this cluster: "tapewatch topics" makes it.`);
    this.#partitions.set(topic, state.partitions);
    return state.partitions;
  }

  async append(records: readonly NewRecord[]): Promise<readonly Position[]> {
    const positions = await this.#appender.append(await this.#outgoing(records));
    return positions.map((position, i) => ({ ...position, topic: records[i]!.topic }));
  }

  async read(topic: string, partition: number, from: Offset, options: ReadOptions = {}): Promise<ReadResult> {
    const { maxRecords = READ_RECORDS, maxBytes = READ_BYTES, waitMs = 0, signal } = options;
    const name = this.#whole(topic);
    for (let at = from; ; ) {
      const fetched = await this.#fetcher.fetch({ topic: name, partition, from: at, maxBytes, waitMs, signal });
      if (fetched.records.length > 0) {
        const records = fetched.records.slice(0, maxRecords).map((record) => ({ ...record, topic }));
        const whole = records.length === fetched.records.length;
        return { records, next: whole ? fetched.next : records.at(-1)!.offset + 1 };
      }
      if (signal?.aborted) return { records: [], next: at };
      // Nothing but control records and aborted ones: what follows them counts.
      if (fetched.next > at) {
        at = fetched.next;
        continue;
      }
      // An answer may also be empty because others' records filled it, or since `from` is no longer there.
      const { first, end } = await this.bounds(topic, partition);
      if (at < first) at = first;
      else if (at >= end || waitMs > 0) return { records: [], next: at };
    }
  }

  bounds(topic: string, partition: number): Promise<Bounds> {
    const name = this.#whole(topic);
    return this.#asking(`Asking for the bounds of ${name}`, () => this.#offsets.bounds(name, partition));
  }

  async *latest(topic: string, partition: number): AsyncIterable<LogRecord> {
    const { first, end } = await this.bounds(topic, partition);
    const last = new Map<string, LogRecord>();
    for (let at = first; at < end; ) {
      const { records, next } = await this.read(topic, partition, at, {
        maxRecords: Number.POSITIVE_INFINITY,
        maxBytes: LATEST_BYTES,
      });
      for (const record of records) {
        if (record.key === null || record.offset >= end) continue;
        // Anew at the end, so that the map stays in the order of offsets.
        last.delete(record.key);
        if (record.value !== null) last.set(record.key, record);
      }
      if (next === at) break;
      at = next;
    }
    yield* last.values();
  }

  async committed(group: string, topic: string, partition: number): Promise<Offset | null> {
    const found = await this.#asking(`Asking for the offsets of group ${group}`, () =>
      this.#offsets.committed(this.#whole(group), this.#whole(topic), [partition]),
    );
    return found.get(partition) ?? null;
  }

  async lag(group: string, topic: string): Promise<readonly Lag[]> {
    const count = await this.partitions(topic);
    return this.#asking(`Asking for the lag of group ${group}`, () =>
      this.#offsets.lag(this.#whole(group), this.#whole(topic), count),
    );
  }

  async join(options: MemberOptions): Promise<GroupMember> {
    const { instance, read = true, maxRecords = READ_RECORDS, maxBytes = AHEAD_BYTES } = options;
    const { sessionMs, transactionMs, compression, batchBytes } = this.#options;
    await this.partitions(options.topic);
    const group = this.#whole(options.group);
    const topic = this.#whole(options.topic);
    const membership: Membership = new Membership({
      client: this.#client(`member-${options.group}`, RETRIES),
      group,
      topic,
      instance,
      sessionMs,
      owned: () => member.owned,
      joined: (generation) => member.joined(generation),
    });
    const member: Member = new Member({
      group,
      topic,
      membership,
      transactions: new Transactions({
        client: this.#client(`step-${options.group}`, STEP_RETRIES),
        transactionalId: `${group}-${instance ?? randomUUID()}`,
        transactionMs,
        compression,
        batchBytes,
      }),
      fetcher: read ? new Fetcher(this.#client(`fetch-${options.group}`, 0), group) : null,
      offsets: this.#offsets,
      maxRecords,
      maxBytes,
      outgoing: (records) => this.#outgoing(records),
      wholeName: (name) => this.#whole(name),
      retrying: (reason) => this.onRetry?.(reason),
      onLeave: () => this.#members.delete(member),
    });
    this.#members.add(member);
    await membership.join();
    return member;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#members].map((member) => member.leave()));
    await Promise.all([this.#fetcher.close(), this.#appender.close()]);
    await this.#offsets.close();
  }

  #whole(name: string): string {
    return `${this.#options.prefix}${name}`;
  }

  #client(role: string, retries: number): ReturnType<typeof clientOptions> {
    return clientOptions(this.#options, role, retries);
  }

  #faults(spec: TopicSpec, there: ReadonlyMap<string, TopicState>, replication: number): readonly TopicFault[] {
    const state = there.get(spec.name);
    return state ? faultsOf(spec, state, replication) : [];
  }

  async #replication(): Promise<number> {
    return this.#options.replication ?? Math.min(3, await this.#topics.brokers());
  }

  async #outgoing(records: readonly NewRecord[]): Promise<readonly Outgoing[]> {
    const counts = new Map<string, number>();
    for (const { topic } of records) if (!counts.has(topic)) counts.set(topic, await this.partitions(topic));
    return records.map(({ topic, key, value, partition }) => {
      const count = counts.get(topic)!;
      const to = partition ?? (key === null ? 0 : partitionOf(key, count));
      if (to >= count) throw new TapewatchError('not_found', `Topic ${this.#whole(topic)} has no partition ${to}.`);
      const message: MessageToProduce & { topic: string; partition: number } = {
        topic: this.#whole(topic),
        partition: to,
      };
      if (key !== null) message.key = Buffer.from(key);
      if (value !== null) message.value = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
      return message;
    });
  }

  /** Asks again while brokers are away: one that dies takes seconds to be replaced, and a restore must not end by it. */
  async #asking<T>(what: string, ask: () => Promise<T>): Promise<T> {
    const patience = AbortSignal.timeout(PATIENCE_MS);
    for (;;) {
      try {
        return await ask();
      } catch (cause) {
        const error = kafkaError(what, cause);
        if (!error.retryable || patience.aborted || this.#closed) throw error;
        await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS));
      }
    }
  }
}
