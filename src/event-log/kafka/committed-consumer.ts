/**
 * A consumer that gives no record of an aborted transaction.
 *
 * @platformatic/kafka 2.12.1 keeps one aborted range a producer and passes over a range whose marker is not in the same
 * answer, so that `read_committed` delivers aborted records (test/kafka/client-defects.test.ts). Here the batches are judged
 * by the protocol's own rule before the client sees them: a producer's transactional batches are aborted from the first
 * offset the broker names until the producer's next abort marker, be it in this answer or not.
 */
import { type API, type Callback, Consumer, kGetApi } from '@platformatic/kafka';

export type FetchResponse = Awaited<ReturnType<Consumer['fetch']>>;
export type FetchedPartition = FetchResponse['responses'][number]['partitions'][number];

const TRANSACTIONAL = 1 << 4;
const CONTROL = 1 << 5;
const ABORT = 0;

/** Empties the batches of aborted transactions; they stay in place, so that positions advance. */
export function emptyAborted(partition: FetchedPartition): void {
  const aborted = [...(partition.abortedTransactions ?? [])];
  if (!partition.records || aborted.length === 0) return;
  aborted.sort((a, b) => (a.firstOffset < b.firstOffset ? -1 : 1));
  const open = new Set<bigint>();
  let next = 0;
  for (const batch of partition.records) {
    const last = batch.firstOffset + BigInt(batch.lastOffsetDelta);
    for (; next < aborted.length && aborted[next]!.firstOffset <= last; next++) open.add(aborted[next]!.producerId);
    if (batch.attributes & CONTROL) {
      if (batch.records[0]?.key?.readInt16BE(2) === ABORT) open.delete(batch.producerId);
    } else if (batch.attributes & TRANSACTIONAL && open.has(batch.producerId)) batch.records = [];
  }
  partition.abortedTransactions = [];
}

export function isControl(attributes: number): boolean {
  return (attributes & CONTROL) !== 0;
}

type Tapped = (error: Error | null, response?: unknown) => void;
type Request = ((...args: unknown[]) => void) & { version: number };

/** Lets `tap` see each answer of one kind of request before the client does. */
export function tapAnswers(api: unknown, tap: Tapped): never {
  const request = api as Request;
  const tapped = ((...args: unknown[]) => {
    const done = args.pop() as Tapped;
    request(...args, (error: Error | null, response?: unknown) => {
      tap(error, response);
      done(error, response);
    });
  }) as Request;
  tapped.version = request.version;
  return tapped as never;
}

export class CommittedConsumer extends Consumer {
  override [kGetApi]<A extends unknown[], R>(name: string, callback: Callback<API<A, R>>): void {
    super[kGetApi]<A, R>(name, (error, api) => {
      if (error || name !== 'Fetch') return callback(error, api);
      const filtered = tapAnswers(api, (_, response) => {
        for (const topic of (response as FetchResponse | undefined)?.responses ?? [])
          topic.partitions.forEach(emptyAborted);
      });
      callback(null, filtered);
    });
  }
}
