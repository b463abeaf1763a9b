/** What a partition of `trades` last held: each symbol's last id, and the highest epoch. Read backwards in steps. */
import type { EventLog } from '../event-log/event-log.ts';
import { decodeTapeRecord } from '../market/codec.ts';
import { isTrade } from '../market/records.ts';

const STEP = 20_000;

export interface Tail {
  readonly lastIds: ReadonlyMap<string, number>;
  readonly epoch: number;
}

/** Stops as soon as each of `symbols` was found and some record with an epoch, or at the oldest record. */
export async function readTail(
  log: EventLog,
  topic: string,
  partition: number,
  symbols: ReadonlySet<string>,
): Promise<Tail> {
  const { first, end } = await log.bounds(topic, partition);
  const lastIds = new Map<string, number>();
  let epoch = 0;
  for (let to = end; to > first; ) {
    const from = Math.max(first, to - STEP);
    const found = new Map<string, number>();
    for (let at = from; at < to; ) {
      const { records, next } = await log.read(topic, partition, at, { maxRecords: Math.min(STEP, to - at) });
      if (records.length === 0) break;
      for (const record of records) {
        if (record.offset >= to || record.value === null) continue;
        const decoded = decodeTapeRecord(record.value);
        if (isTrade(decoded)) found.set(decoded.symbol, decoded.id);
        else if (decoded.type === 'gap' && decoded.last !== null) found.set(decoded.symbol, decoded.last);
        if ('epoch' in decoded && decoded.epoch !== undefined && decoded.epoch > epoch) epoch = decoded.epoch;
      }
      at = next;
    }
    for (const [symbol, id] of found) if (!lastIds.has(symbol)) lastIds.set(symbol, id);
    if (epoch > 0 && [...symbols].every((symbol) => lastIds.has(symbol))) break;
    to = from;
  }
  return { lastIds, epoch };
}
