/**
 * Reads partitions from where one says. Readers that wait are served together, one request at a time to each broker, so that
 * a hundred of them cost what one costs; records of aborted transactions are never seen.
 */
import type { BaseOptions, FetchOptions, RecordsBatch } from '@platformatic/kafka';
import type { LogRecord } from '../event-log.ts';
import { CommittedConsumer, type FetchedPartition, type FetchResponse, isControl } from './committed-consumer.ts';
import { idsOf } from './errors.ts';

/** How long a broker may hold an answer back when there is nothing, ms: the longest a newly come reader waits for its turn. */
const HOLD_MS = 200;
const ANSWER_BYTES_MAX = 16 << 20;
const RETRY_MS = 150;
const OFFSET_OUT_OF_RANGE = 1;
const NO_ERROR = 0;

export interface Fetched {
  readonly records: readonly LogRecord[];
  /** Beyond all that was looked at, control records and aborted ones too; `from` where there was nothing. */
  readonly next: number;
  /** The offset asked for is no longer there, or not yet. */
  readonly outOfRange?: boolean;
}

type FetchRequestTopic = FetchOptions<Buffer, Buffer, Buffer, Buffer>['topics'][number];

interface Want {
  readonly topic: string;
  readonly partition: number;
  readonly from: number;
  readonly maxBytes: number;
  /** false: answered by the next answer, be it empty. */
  patient: boolean;
  answer: ((fetched: Fetched) => void) | null;
  fail: (error: unknown) => void;
}

export interface FetchRequest {
  readonly topic: string;
  readonly partition: number;
  readonly from: number;
  readonly maxBytes: number;
  readonly waitMs: number;
  readonly signal?: AbortSignal | undefined;
}

export class Fetcher {
  readonly #consumer: CommittedConsumer;
  readonly #queues = new Map<number, Want[]>();
  readonly #running = new Set<number>();
  #stale = false;
  #closed = false;

  /** `groupId` is never joined: the client wants one. */
  constructor(options: BaseOptions, groupId: string) {
    this.#consumer = new CommittedConsumer({ ...options, groupId, autocommit: false });
  }

  /** What there is from `from` on; an empty answer once `waitMs` have passed or the signal fires. Broker outages are waited out. */
  fetch({ topic, partition, from, maxBytes, waitMs, signal }: FetchRequest): Promise<Fetched> {
    const { promise, resolve, reject } = Promise.withResolvers<Fetched>();
    this.#consumer.topics.track(topic);
    const want: Want = { topic, partition, from, maxBytes, patient: waitMs > 0, answer: resolve, fail: reject };
    const giveUp = (): void => {
      want.answer?.({ records: [], next: from });
      want.answer = null;
    };
    // Where the broker is away the answer comes late: the time is then up before it.
    const timer = waitMs > 0 ? setTimeout(giveUp, waitMs) : undefined;
    if (signal?.aborted) giveUp();
    else {
      signal?.addEventListener('abort', giveUp, { once: true });
      void this.#enqueue(want);
    }
    return promise.finally(() => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', giveUp);
    });
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const want of [...this.#queues.values()].flat()) want.answer?.({ records: [], next: want.from });
    this.#queues.clear();
    await this.#consumer.close(true).catch(() => undefined);
  }

  async #enqueue(want: Want): Promise<void> {
    while (want.answer && !this.#closed) {
      const leader = await this.#leader(want).catch(() => null);
      if (leader === null) {
        await pause(RETRY_MS);
        continue;
      }
      const queue = this.#queues.get(leader);
      if (queue) queue.push(want);
      else this.#queues.set(leader, [want]);
      if (!this.#running.has(leader)) void this.#serve(leader);
      return;
    }
    want.answer?.({ records: [], next: want.from });
  }

  async #leader({ topic, partition }: Want): Promise<number> {
    const forceUpdate = this.#stale;
    this.#stale = false;
    try {
      const { topics } = await this.#consumer.metadata({ topics: this.#consumer.topics.current, forceUpdate });
      const found = topics.get(topic)?.partitions[partition]?.leader;
      if (found === undefined || found < 0) throw new Error('The partition has no leader now.');
      return found;
    } catch (error) {
      this.#stale = true;
      throw error;
    }
  }

  /** One request after the other to one broker, while anybody waits for it. */
  async #serve(leader: number): Promise<void> {
    this.#running.add(leader);
    try {
      for (;;) {
        // Those just answered ask anew first.
        await new Promise((resolve) => setImmediate(resolve));
        const queue = (this.#queues.get(leader) ?? []).filter(({ answer }) => answer !== null);
        if (queue.length === 0 || this.#closed) break;
        const round = new Map<string, Want>();
        const later: Want[] = [];
        for (const want of queue) {
          const key = `${want.topic} ${want.partition}`;
          if (round.has(key)) later.push(want);
          else round.set(key, want);
        }
        this.#queues.set(leader, later);
        await this.#round(leader, [...round.values()], later.length > 0);
      }
    } finally {
      this.#running.delete(leader);
      if ((this.#queues.get(leader) ?? []).length > 0 && !this.#closed) void this.#serve(leader);
    }
  }

  async #round(leader: number, wants: readonly Want[], othersWait: boolean): Promise<void> {
    let answer: FetchResponse;
    const ids = new Map<string, string>();
    try {
      const { topics } = await this.#consumer.metadata({ topics: this.#consumer.topics.current });
      for (const { topic } of wants) ids.set(topics.get(topic)!.id, topic);
      answer = await this.#consumer.fetch({
        node: leader,
        isolationLevel: 1,
        minBytes: 1,
        maxBytes: ANSWER_BYTES_MAX,
        maxWaitTime: othersWait || wants.some(({ patient }) => !patient) ? 0 : HOLD_MS,
        topics: request(wants, (topic) => topics.get(topic)!.id),
      });
    } catch (error) {
      const failed = (error as { response?: FetchResponse }).response ?? findResponse(error);
      if (failed && idsOf(error).has('OFFSET_OUT_OF_RANGE')) answer = failed;
      else return this.#again(wants);
    }
    const found = new Map<string, FetchedPartition>();
    for (const { topicId, partitions } of answer.responses)
      for (const each of partitions) found.set(`${ids.get(topicId)} ${each.partitionIndex}`, each);
    for (const want of wants) this.#answer(leader, want, found.get(`${want.topic} ${want.partition}`));
  }

  #answer(leader: number, want: Want, found: FetchedPartition | undefined): void {
    if (!want.answer) return;
    const settle = (fetched: Fetched): void => {
      want.answer?.(fetched);
      want.answer = null;
    };
    if (found?.errorCode === OFFSET_OUT_OF_RANGE) {
      settle({ records: [], next: want.from, outOfRange: true });
      return;
    }
    if (found && found.errorCode !== NO_ERROR) {
      this.#again([want]);
      return;
    }
    const fetched = found ? decode(want, found.records ?? []) : null;
    if (fetched && fetched.next > want.from) settle(fetched);
    else if (!want.patient) settle({ records: [], next: want.from });
    else this.#queues.get(leader)?.push(want);
  }

  #again(wants: readonly Want[]): void {
    this.#stale = true;
    void pause(RETRY_MS).then(() => {
      for (const want of wants) void this.#enqueue(want);
    });
  }
}

function request(wants: readonly Want[], idOf: (topic: string) => string): FetchRequestTopic[] {
  const topics = new Map<string, FetchRequestTopic>();
  for (const { topic, partition, from, maxBytes } of wants) {
    const topicId = idOf(topic);
    let entry = topics.get(topicId);
    if (!entry) {
      entry = { topicId, partitions: [] };
      topics.set(topicId, entry);
    }
    entry.partitions.push({
      partition,
      fetchOffset: BigInt(from),
      partitionMaxBytes: maxBytes,
      currentLeaderEpoch: -1,
      lastFetchedEpoch: -1,
    });
  }
  return [...topics.values()];
}

function decode({ topic, partition, from }: Want, batches: readonly RecordsBatch[]): Fetched {
  const records: LogRecord[] = [];
  let next = from;
  for (const { firstOffset, lastOffsetDelta, firstTimestamp, attributes, records: inside } of batches) {
    const base = Number(firstOffset);
    next = Math.max(next, base + lastOffsetDelta + 1);
    if (isControl(attributes)) continue;
    for (const { offsetDelta, timestampDelta, key, value } of inside) {
      const offset = base + offsetDelta;
      if (offset < from) continue;
      const timestamp = Number(firstTimestamp + timestampDelta);
      records.push({ topic, partition, offset, key: key ? key.toString() : null, value, timestamp });
    }
  }
  return { records, next };
}

function findResponse(error: unknown): FetchResponse | undefined {
  const { errors } = error as { errors?: readonly { response?: FetchResponse }[] };
  return errors?.find(({ response }) => response?.responses)?.response;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
