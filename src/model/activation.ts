/** Puts a model and settings in force: a record in every partition, so that a replay switches at the same trade. */
import type { EventLog, NewRecord } from '../event-log/event-log.ts';
import type { TopicNames } from '../event-log/topics.ts';
import { decodeTapeRecord, encodeControl } from '../market/codec.ts';
import { TapewatchError } from '../market/error.ts';
import type { DetectionSettings } from '../market/records.ts';
import { ACTIVE_KEY, type ActivePointer } from './registry.ts';

export interface ActivationWish {
  /** `sha256:…`, in the registry already. */
  readonly model: string;
  readonly settings: DetectionSettings;
  /** Event time, ms; without it a moment ahead of the newest record. */
  readonly from?: number;
}

/** How far ahead of the newest record: all heartbeats on their way have arrived by then. */
const AHEAD_MS = 5000;
const TAIL_RECORDS = 2000;

/** Writes the activation and returns since when it counts, event time in ms. */
export async function activate(log: EventLog, topics: TopicNames, wish: ActivationWish): Promise<number> {
  const { model, settings } = wish;
  const newest = await newestTime(log, topics.trades);
  // On an empty tape from the first record on.
  const from = wish.from ?? (newest === null ? 1 : newest + AHEAD_MS);
  const value = Buffer.from(encodeControl({ type: 'activate', model, settings, from }));
  const partitions = await log.partitions(topics.trades);
  const records: NewRecord[] = Array.from({ length: partitions }, (_, partition) => ({
    topic: topics.trades,
    key: null,
    value,
    partition,
  }));
  const pointer: ActivePointer = { model, settings, from };
  await log.append(records);
  // Last, so that who finds it need not look into the partitions.
  await log.append([{ topic: topics.models, key: ACTIVE_KEY, value: Buffer.from(JSON.stringify(pointer)) }]);
  return from;
}

/** The largest event time among each partition's last records, ms; null where there is none. */
export async function newestTime(log: EventLog, trades: string): Promise<number | null> {
  let newest: number | null = null;
  for (let partition = 0; partition < (await log.partitions(trades)); partition++) {
    const { first, end } = await log.bounds(trades, partition);
    for (let from = Math.max(first, end - TAIL_RECORDS); from < end; ) {
      const { records, next } = await log.read(trades, partition, from);
      if (records.length === 0) break;
      for (const { value } of records) {
        const time = value ? timeOf(value) : null;
        if (time !== null && (newest === null || time > newest)) newest = time;
      }
      from = next;
    }
  }
  return newest;
}

/** Of what the exchange has stamped; statuses are stamped by a clock. */
function timeOf(value: Uint8Array): number | null {
  try {
    const record = decodeTapeRecord(value);
    if ('type' in record && (record.type === 'activate' || record.type === 'status' || record.type === 'feedback'))
      return null;
    return record.timestamp;
  } catch (error) {
    if (error instanceof TapewatchError) return null;
    throw error;
  }
}
