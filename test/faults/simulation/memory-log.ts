/**
 * An event log in memory for the simulation: every call takes virtual time, a killed process's calls never return, and what
 * a paused one was about to write is written when it goes on. Groups are the embedded log's own.
 */
import { Groups } from '../../../src/event-log/embedded/group.ts';
import type {
  EventLog,
  GroupMember,
  LogRecord,
  MemberOptions,
  NewRecord,
  Position,
  ReadOptions,
  ReadResult,
  TopicSpec,
} from '../../../src/event-log/event-log.ts';
import { TapewatchError } from '../../../src/market/error.ts';
import { partitionOf } from '../../../src/market/partition.ts';
import type { VirtualProcess } from '../../../src/transport/virtual.ts';

interface Topic {
  readonly spec: TopicSpec;
  readonly partitions: readonly LogRecord[][];
}

const LATENCY_MS = 4;
/** Now and then a call takes long, as on a busy disk. */
const SLOW_SHARE = 0.003;
const SLOW_MS = 2500;

export class MemoryLog {
  readonly #topics = new Map<string, Topic>();
  readonly #offsets = new Map<string, number>();
  readonly #generations = new Map<string, number>();
  readonly #members = new Map<VirtualProcess, GroupMember[]>();
  readonly #groups: Groups;
  readonly slowShare: number;
  #waiting = new Set<() => void>();
  /** Until then, ms, no append returns. */
  stuckUntilMs = 0;

  constructor({ slowShare = SLOW_SHARE }: { readonly slowShare?: number } = {}) {
    this.slowShare = slowShare;
    this.#groups = new Groups({
      partitions: (topic) => this.topic(topic).partitions.length,
      committed: (group, topic, partition) => this.committed(group, topic, partition),
      first: () => 0,
      nextGeneration: (group) => {
        this.#generations.set(group, (this.#generations.get(group) ?? 0) + 1);
        return Promise.resolve(this.#generations.get(group)!);
      },
      readNow: (topic, partition, from, most) => this.readNow(topic, partition, from, most),
      commit: (group, outputs, offsets, owns) => {
        if (!owns()) return Promise.reject(new TapewatchError('fenced', 'Another member owns these partitions now.'));
        this.append(outputs, 0);
        for (const { topic, partition, offset } of offsets) this.#offsets.set(`${group} ${topic} ${partition}`, offset);
        return Promise.resolve();
      },
      appended: (_topic, signal) => this.#appended(signal),
    });
  }

  client(process: VirtualProcess): EventLog {
    return new Client(this, process);
  }

  /** The group gives up a member that is dead, or has not been heard of for too long. */
  async expel(process: VirtualProcess): Promise<void> {
    for (const member of this.#members.get(process) ?? []) await member.leave();
    this.#members.delete(process);
  }

  async join(process: VirtualProcess, options: MemberOptions): Promise<GroupMember> {
    const member = await this.#groups.join(options);
    this.#members.set(process, [...(this.#members.get(process) ?? []), member]);
    return member;
  }

  topic(name: string): Topic {
    const topic = this.#topics.get(name);
    if (!topic) throw new TapewatchError('not_found', `There is no topic ${name}.`);
    return topic;
  }

  ensure(specs: readonly TopicSpec[]): void {
    for (const spec of specs) {
      const there = this.#topics.get(spec.name)?.spec;
      if (there && (there.partitions !== spec.partitions || there.cleanup !== spec.cleanup))
        throw new TapewatchError('settings', `Topic ${spec.name} is there with other partitions.`);
      const partitions = Array.from({ length: spec.partitions }, () => []);
      if (!there) this.#topics.set(spec.name, { spec, partitions });
    }
  }

  append(records: readonly NewRecord[], timestamp: number): Position[] {
    const positions = records.map(({ topic, key, value, partition: wanted }) => {
      const { partitions } = this.topic(topic);
      const partition = wanted ?? (key === null ? 0 : partitionOf(key, partitions.length));
      const into = partitions[partition]!;
      const offset = into.push({ topic, partition, offset: into.length, key, value, timestamp }) - 1;
      return { topic, partition, offset };
    });
    const waiting = this.#waiting;
    this.#waiting = new Set();
    for (const wake of waiting) wake();
    return positions;
  }

  readNow(topic: string, partition: number, from: number, most: number): ReadResult {
    const records = this.topic(topic).partitions[partition]!.slice(from, from + most);
    return { records, next: from + records.length };
  }

  committed(group: string, topic: string, partition: number): number | null {
    return this.#offsets.get(`${group} ${topic} ${partition}`) ?? null;
  }

  #appended(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      this.#waiting.add(resolve);
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
  }
}

class Client implements EventLog {
  readonly #log: MemoryLog;
  readonly #process: VirtualProcess;

  constructor(log: MemoryLog, process: VirtualProcess) {
    this.#log = log;
    this.#process = process;
  }

  async ensureTopics(specs: readonly TopicSpec[]): Promise<void> {
    await this.#takesTime();
    this.#log.ensure(specs);
  }

  async partitions(topic: string): Promise<number> {
    await this.#takesTime();
    return this.#log.topic(topic).partitions.length;
  }

  async append(records: readonly NewRecord[]): Promise<readonly Position[]> {
    await this.#takesTime();
    await this.#process.sleep(Math.max(0, this.#log.stuckUntilMs - this.#process.now()));
    const positions = this.#log.append(records, this.#process.now());
    // A process may die after its write and before it hears of it.
    await this.#takesTime();
    return positions;
  }

  async read(topic: string, partition: number, from: number, options: ReadOptions = {}): Promise<ReadResult> {
    await this.#takesTime();
    const now = this.#log.readNow(topic, partition, from, options.maxRecords ?? 5000);
    if (now.records.length > 0 || !options.waitMs) return now;
    await this.#process.sleep(options.waitMs, options.signal).catch(() => undefined);
    return this.#log.readNow(topic, partition, from, options.maxRecords ?? 5000);
  }

  async bounds(topic: string, partition: number): Promise<{ first: number; end: number }> {
    await this.#takesTime();
    return { first: 0, end: this.#log.topic(topic).partitions[partition]!.length };
  }

  async *latest(topic: string, partition: number): AsyncIterable<LogRecord> {
    await this.#takesTime();
    const last = new Map<string, LogRecord>();
    for (const record of this.#log.topic(topic).partitions[partition]!) {
      if (record.key === null) continue;
      last.delete(record.key);
      if (record.value !== null) last.set(record.key, record);
    }
    yield* last.values();
  }

  async committed(group: string, topic: string, partition: number): Promise<number | null> {
    await this.#takesTime();
    return this.#log.committed(group, topic, partition);
  }

  async join(options: MemberOptions): Promise<GroupMember> {
    await this.#takesTime();
    const member = await this.#log.join(this.#process, options);
    return {
      next: async (signal) => {
        await this.#takesTime();
        const event = await member.next(signal);
        await this.#takesTime();
        return event;
      },
      seek: (partition, offset) => member.seek(partition, offset),
      commit: async (outputs, offsets) => {
        await this.#takesTime();
        await member.commit(outputs, offsets);
        await this.#takesTime();
      },
      leave: async () => {
        await this.#takesTime();
        await member.leave();
      },
    };
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #takesTime(): Promise<void> {
    const { network } = this.#process;
    const slow = network.random.next() < this.#log.slowShare;
    return this.#process.sleep((slow ? SLOW_MS : LATENCY_MS) * network.random.next());
  }
}
