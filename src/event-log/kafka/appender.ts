/**
 * Appends outside of transactions: idempotent, acknowledged by all in-sync replicas, gathered for a moment.
 *
 * The client groups what it sends by leader and, when leaders move, keeps the group together, which never succeeds where its
 * partitions have parted; a new try would take new sequence numbers and double records. So each partition is sent for itself,
 * one batch at a time: a retry is then the same batch with the same numbers.
 */
import { type BaseOptions, type MessageToProduce, Producer } from '@platformatic/kafka';
import type { Position } from '../event-log.ts';
import { kafkaError } from './errors.ts';

export interface AppenderOptions {
  readonly client: BaseOptions;
  readonly compression: 'none' | 'lz4' | 'zstd' | 'snappy' | 'gzip';
  readonly lingerMs: number;
  readonly batchBytes: number;
}

export interface Outgoing extends MessageToProduce {
  readonly topic: string;
  readonly partition: number;
}

interface Call {
  readonly messages: readonly Outgoing[];
  readonly bytes: number;
  readonly resolve: (positions: readonly Position[]) => void;
  readonly reject: (error: unknown) => void;
}

const RECORD_BYTES = 24;

export function bytesOf({ key, value }: Outgoing): number {
  return RECORD_BYTES + (key?.length ?? 0) + (value?.length ?? 0);
}

/** Cuts messages of one partition into batches that a broker takes. */
export function batchesOf(messages: readonly Outgoing[], batchBytes: number): Outgoing[][] {
  const batches: Outgoing[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const message of messages) {
    const more = bytesOf(message);
    if (bytes + more > batchBytes) {
      batches.push([]);
      bytes = 0;
    }
    batches.at(-1)!.push(message);
    bytes += more;
  }
  return batches;
}

export class Appender {
  readonly #options: AppenderOptions;
  readonly #producer: Producer;
  #calls: Call[] = [];
  #running: Promise<void> | null = null;

  constructor(options: AppenderOptions) {
    this.#options = options;
    this.#producer = new Producer({
      ...options.client,
      idempotent: true,
      producerId: -1n,
      producerEpoch: -1,
      compression: options.compression,
    });
  }

  /** Positions in the order of `messages`. A call larger than a batch is not atomic. */
  append(messages: readonly Outgoing[]): Promise<readonly Position[]> {
    if (messages.length === 0) return Promise.resolve([]);
    const { promise, resolve, reject } = Promise.withResolvers<readonly Position[]>();
    const bytes = messages.reduce((sum, message) => sum + bytesOf(message), 0);
    this.#calls.push({ messages, bytes, resolve, reject });
    this.#running ??= this.#run();
    return promise;
  }

  async close(): Promise<void> {
    while (this.#running) await this.#running;
    await this.#producer.close(true).catch(() => undefined);
  }

  async #run(): Promise<void> {
    const { lingerMs, batchBytes } = this.#options;
    if (lingerMs > 0) await new Promise((resolve) => setTimeout(resolve, lingerMs));
    while (this.#calls.length > 0) {
      let bytes = 0;
      let taken = 0;
      while (taken < this.#calls.length && (taken === 0 || bytes + this.#calls[taken]!.bytes <= batchBytes))
        bytes += this.#calls[taken++]!.bytes;
      await this.#flush(this.#calls.splice(0, taken));
    }
    this.#running = null;
  }

  /** Sends some calls' messages, each partition for itself; a call fails where one of its partitions did. */
  async #flush(calls: readonly Call[]): Promise<void> {
    const all = calls.flatMap(({ messages }) => messages);
    const positions: Position[] = new Array(all.length);
    const failed = new Map<string, unknown>();
    const keyOf = ({ topic, partition }: Outgoing): string => `${topic} ${partition}`;
    const byPartition = Map.groupBy(all.keys(), (i) => keyOf(all[i]!));
    await Promise.all(
      [...byPartition].map(async ([key, indices]) => {
        try {
          const { topic, partition } = all[indices[0]!]!;
          let at = 0;
          for (const batch of batchesOf(
            indices.map((i) => all[i]!),
            this.#options.batchBytes,
          )) {
            const { offsets } = await this.#producer.send({ messages: batch });
            const first = Number(offsets![0]!.offset);
            for (let i = 0; i < batch.length; i++) positions[indices[at++]!] = { topic, partition, offset: first + i };
          }
        } catch (error) {
          failed.set(key, error);
        }
      }),
    );
    let at = 0;
    for (const { messages, resolve, reject } of calls) {
      const broken = messages.find((message) => failed.has(keyOf(message)));
      if (broken) reject(kafkaError(`Writing to topic ${broken.topic}`, failed.get(keyOf(broken))));
      else resolve(positions.slice(at, at + messages.length));
      at += messages.length;
    }
  }
}
