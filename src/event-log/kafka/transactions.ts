/**
 * The transactions of one process slot: outputs and offsets together, one after the other.
 *
 * Any error ends in a new producer under the same transactional id: its start aborts what the one before left open, or
 * completes a commit whose answer was lost, so that the committed offsets then tell what became of it.
 */
import { type BaseOptions, type Consumer, type Message, type MessageBase, Producer } from '@platformatic/kafka';
import { batchesOf, type Outgoing } from './appender.ts';

type Transaction = Awaited<ReturnType<Producer['beginTransaction']>>;

export interface TransactionsOptions {
  readonly client: BaseOptions;
  readonly transactionalId: string;
  readonly transactionMs: number;
  readonly compression: 'none' | 'lz4' | 'zstd' | 'snappy' | 'gzip';
  readonly batchBytes: number;
}

/** Who commits: refused by the group's coordinator once the group has moved on (KIP-447). */
export interface Membership {
  readonly consumer: Consumer;
  readonly memberId: string;
  readonly generation: number;
}

export interface NextOffset {
  readonly topic: string;
  readonly partition: number;
  /** Of the next record to read. */
  readonly offset: number;
}

export class Transactions {
  readonly #options: TransactionsOptions;
  #producer: Producer | null = null;
  /** Begun, nothing in it yet. */
  #next: Transaction | null = null;

  constructor(options: TransactionsOptions) {
    this.#options = options;
  }

  /** Takes over the transactional id: whatever ran under it before is settled when this resolves. */
  async restart(): Promise<void> {
    const { client, transactionalId, transactionMs, compression } = this.#options;
    await this.#drop();
    // Without an id and epoch of -1 the client asks to go on as producer 0, which only the very first start may.
    const producer = new Producer({
      ...client,
      idempotent: true,
      transactionalId,
      producerId: -1n,
      producerEpoch: -1,
      // The client's request time-out is what it tells the broker as the transaction's.
      timeout: transactionMs,
      compression,
    });
    this.#producer = producer;
    this.#next = await producer.beginTransaction();
  }

  /**
   * Outputs and offsets in one transaction. After an error it is open what became of it: `restart`, then ask the committed
   * offsets. The calls go one after the other: the client loses concurrent ones of a kind.
   */
  async run(outputs: readonly Outgoing[], offsets: readonly NextOffset[], membership: Membership): Promise<void> {
    if (!this.#producer) await this.restart();
    const transaction = this.#next ?? (await this.#producer!.beginTransaction());
    this.#next = null;
    for (const messages of this.#sends(outputs)) await transaction.send({ messages });
    await transaction.addConsumer(membership.consumer);
    for (const next of offsets) await transaction.addOffset(await this.#offsetMessage(next, membership));
    await transaction.commit();
  }

  async close(): Promise<void> {
    await this.#drop();
  }

  /** As few sends as brokers take: the n-th batch of every partition goes along. */
  #sends(outputs: readonly Outgoing[]): Outgoing[][] {
    const sends: Outgoing[][] = [];
    const byPartition = Map.groupBy(outputs, ({ topic, partition }) => `${topic} ${partition}`);
    for (const messages of byPartition.values()) {
      for (const [i, batch] of batchesOf(messages, this.#options.batchBytes).entries()) {
        sends[i] ??= [];
        sends[i].push(...batch);
      }
    }
    return sends;
  }

  /** A message as `addOffset` reads it: it commits the offset after the message's. */
  async #offsetMessage(
    { topic, partition, offset }: NextOffset,
    { consumer, memberId, generation }: Membership,
  ): Promise<Message> {
    const coordinatorId = await consumer.findGroupCoordinator();
    const message: MessageBase & { offset: bigint; metadata: object } = {
      topic,
      partition,
      offset: BigInt(offset) - 1n,
      metadata: { consumer: { groupId: consumer.groupId, memberId, generationId: generation, coordinatorId } },
    };
    return message as unknown as Message;
  }

  async #drop(): Promise<void> {
    const producer = this.#producer;
    this.#producer = null;
    this.#next = null;
    await producer?.close(true).catch(() => undefined);
  }
}
