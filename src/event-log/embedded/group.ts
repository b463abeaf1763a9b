/** Consumer groups within the one process: members share the partitions of a topic, every change is a new generation. */
import { TapewatchError } from '../../market/error.ts';
import type {
  GroupMember,
  LogRecord,
  MemberEvent,
  MemberOptions,
  NewRecord,
  Position,
  ReadResult,
} from '../event-log.ts';

/** What members need of the log. */
export interface GroupHost {
  partitions(topic: string): number;
  committed(group: string, topic: string, partition: number): number | null;
  first(topic: string, partition: number): number;
  nextGeneration(group: string): Promise<number>;
  readNow(topic: string, partition: number, from: number, maxRecords: number, maxBytes: number): ReadResult;
  commit(
    group: string,
    outputs: readonly NewRecord[],
    offsets: readonly Position[],
    owns: () => boolean,
  ): Promise<void>;
  /** Resolves when something is appended to the topic, or the signal fires. */
  appended(topic: string, signal: AbortSignal): Promise<void>;
}

export class Groups {
  readonly #host: GroupHost;
  readonly #members = new Map<string, readonly Member[]>();

  constructor(host: GroupHost) {
    this.#host = host;
  }

  async join(options: MemberOptions): Promise<GroupMember> {
    const name = `${options.group} ${options.topic}`;
    const member: Member = new Member(this.#host, options, () => this.#leave(name, member));
    await this.#balance(name, [...(this.#members.get(name) ?? []), member]);
    return member;
  }

  async #leave(name: string, member: Member): Promise<void> {
    member.keep([]);
    const members = this.#members.get(name) ?? [];
    if (members.includes(member))
      await this.#balance(
        name,
        members.filter((other) => other !== member),
      );
  }

  /**
   * Takes first and gives after the new generation is in the log: by then every commit of an owner before it is too, so that
   * the next one begins where that one ended.
   */
  async #balance(name: string, members: readonly Member[]): Promise<void> {
    this.#members.set(name, members);
    const [first] = members;
    if (!first) return;
    const { group, topic } = first.options;
    const shares: number[][] = members.map(() => []);
    for (let p = 0; p < this.#host.partitions(topic); p++) shares[p % members.length]!.push(p);
    for (const [i, member] of members.entries()) member.keep(shares[i]!);
    const generation = await this.#host.nextGeneration(group);
    // Who has come or gone meanwhile has begun a balance of its own.
    if (this.#members.get(name) !== members) return;
    for (const [i, member] of members.entries()) member.assign(shares[i]!, generation);
  }
}

class Member implements GroupMember {
  readonly options: MemberOptions;
  readonly #host: GroupHost;
  readonly #onLeave: () => Promise<void>;
  readonly #positions = new Map<number, number>();
  readonly #events: MemberEvent[] = [];
  #wake = new AbortController();
  #turn = 0;

  constructor(host: GroupHost, options: MemberOptions, onLeave: () => Promise<void>) {
    this.#host = host;
    this.options = options;
    this.#onLeave = onLeave;
  }

  keep(partitions: readonly number[]): void {
    const { topic } = this.options;
    const gone = [...this.#positions.keys()].filter((p) => !partitions.includes(p));
    for (const p of gone) this.#positions.delete(p);
    if (gone.length > 0) this.#push({ kind: 'revoked', partitions: gone.map((partition) => ({ topic, partition })) });
  }

  assign(partitions: readonly number[], generation: number): void {
    this.keep(partitions);
    const { group, topic } = this.options;
    const fresh = partitions.filter((p) => !this.#positions.has(p));
    const assigned = fresh.map((partition) => ({
      topic,
      partition,
      committed: this.#host.committed(group, topic, partition),
    }));
    for (const { partition, committed } of assigned)
      this.#positions.set(partition, committed ?? this.#host.first(topic, partition));
    if (partitions.length > 0) this.#push({ kind: 'assigned', partitions: assigned, generation });
  }

  seek(partition: number, offset: number): void {
    if (this.#positions.has(partition)) this.#positions.set(partition, offset);
  }

  async next(signal?: AbortSignal): Promise<MemberEvent> {
    for (;;) {
      if (signal?.aborted) throw new TapewatchError('aborted', 'Reading the log was stopped.');
      const event = this.#events.shift();
      if (event) return event;
      const wake = this.#wake.signal;
      const appended =
        this.options.read === false ? null : this.#host.appended(this.options.topic, anySignal(wake, signal));
      const batch = this.options.read === false ? null : this.#nextBatch();
      if (batch) return batch;
      await (appended ?? aborted(anySignal(wake, signal)));
    }
  }

  async commit(outputs: readonly NewRecord[], offsets: readonly Position[]): Promise<void> {
    const { group } = this.options;
    await this.#host.commit(group, outputs, offsets, () => offsets.every(({ partition }) => this.#owns(partition)));
  }

  /** A partition that went and came back is owned only once the member has been told that it went. */
  #owns(partition: number): boolean {
    const gone = (event: MemberEvent): boolean =>
      event.kind === 'revoked' && event.partitions.some((lost) => lost.partition === partition);
    return this.#positions.has(partition) && !this.#events.some(gone);
  }

  async leave(): Promise<void> {
    await this.#onLeave();
  }

  /** The next batch, partitions taking turns. */
  #nextBatch(): MemberEvent | null {
    const { topic, maxRecords = 5000, maxBytes = 4 << 20 } = this.options;
    const partitions = [...this.#positions.keys()];
    for (let i = 0; i < partitions.length; i++) {
      const partition = partitions[(this.#turn + i) % partitions.length]!;
      const { records, next } = this.#host.readNow(
        topic,
        partition,
        this.#positions.get(partition)!,
        maxRecords,
        maxBytes,
      );
      if (records.length === 0) continue;
      this.#turn = (this.#turn + i + 1) % partitions.length;
      this.#positions.set(partition, next);
      return { kind: 'batch', topic, partition, records: records as readonly LogRecord[], next };
    }
    return null;
  }

  #push(event: MemberEvent): void {
    this.#events.push(event);
    this.#wake.abort();
    this.#wake = new AbortController();
  }
}

function anySignal(a: AbortSignal, b: AbortSignal | undefined): AbortSignal {
  return b ? AbortSignal.any([a, b]) : a;
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
