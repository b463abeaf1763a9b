/** A partition's state from its snapshots: what stands on the topic, what can be used of it, and where replay has to begin. */
import type { Policy } from '../detection/detector.ts';
import type { EventLog } from '../event-log/event-log.ts';
import type { DetectionTopics } from '../event-log/topics.ts';
import { TapewatchError } from '../market/error.ts';
import { decodePartition, decodeSnapshot, type PartitionHead, type SnapshotHead } from './snapshot.ts';
import type { PartitionState, Resolve } from './tape-detector.ts';

/** Models and settings by name: the registry, as the pipeline needs it. */
export interface Policies {
  /** Fetches the models of these ids, so that `resolve` has them; those that aren't there are passed over. */
  prepare(models: readonly string[]): Promise<void>;
  readonly resolve: Resolve;
}

export interface StoredSymbol {
  readonly symbol: string;
  readonly head: SnapshotHead;
  readonly policy: Policy;
  readonly state: Float64Array;
  readonly bytes: Uint8Array;
}

export interface Stored {
  readonly symbols: readonly StoredSymbol[];
  readonly state: PartitionState | null;
  /** Offset of the first record to replay. */
  readonly from: number;
  /** Why replay begins at the log's oldest record, where it does; null where snapshots reach. */
  readonly rebuild: string | null;
}

export interface RestoreOptions {
  readonly log: EventLog;
  readonly topics: DetectionTopics;
  readonly group: string;
  readonly policy: Policy;
  readonly policies: Policies;
}

/** @throws TapewatchError `log_corrupt` where records that replay needs are gone. */
export async function readSnapshots(options: RestoreOptions, partition: number): Promise<Stored> {
  const { log, topics, group, policy, policies } = options;
  const { first } = await log.bounds(topics.trades, partition);
  const symbols: StoredSymbol[] = [];
  let head: PartitionHead | null = null;
  let rebuild: string | null = null;
  for await (const { key, value } of log.latest(topics.detectorState, partition)) {
    if (key === null || value === null) continue;
    try {
      if (key === `partition:${partition}`) {
        const found = decodePartition(value);
        if (found.group === group) head = found;
        continue;
      }
      const snapshot = decodeSnapshot(value);
      if (snapshot.head.group !== group) continue;
      const { model, settings } = snapshot.head;
      await policies.prepare([model]);
      const its = policies.resolve({ model, settings }, policy);
      if (!its) throw new TapewatchError('record_invalid', `its model ${model} is not in the registry`);
      symbols.push({
        symbol: key,
        head: snapshot.head,
        policy: its,
        state: snapshot.state,
        bytes: new Uint8Array(value),
      });
    } catch (error) {
      if (!(error instanceof TapewatchError)) throw error;
      rebuild ??= `the snapshot ${key} can't be used: ${error.message}`;
    }
  }
  if (!head)
    return {
      symbols,
      state: null,
      from: first,
      rebuild: rebuild ?? (symbols.length > 0 ? 'its own record is missing' : null),
    };
  await policies.prepare(head.activations.map(({ model }) => model));
  if (rebuild === null && head.offset >= first) return { symbols, state: head, from: head.offset, rebuild };
  if (rebuild === null) throw tooOld(partition, head.offset, first);
  const activations = head.activations.filter(({ offset }) => offset < first);
  return { symbols, state: { epoch: 0, promised: 0, activations }, from: first, rebuild };
}

function tooOld(partition: number, needed: number, first: number): TapewatchError {
  return new TapewatchError(
    'log_corrupt',
    `The detector of partition ${partition} can't be restored: replay would begin at offset ${needed}, but the log keeps records from ${first} on. It stood still for longer than --retention. Begin anew with another --data folder (or another consumer group), and keep records longer.`,
  );
}
