/** Bars older than what is held in memory, found in the log by halving: a partition's bars stand about in order of time. */
import type { EventLog } from '../event-log/event-log.ts';
import type { Bar } from '../market/records.ts';

/** Bars of neighbours in a partition lie at most this far out of order, ms: symbols are told at their own next trade. */
const DISORDER_MS = 120_000;
/** Records looked at for one answer. */
const READ_MAX = 400_000;

export interface BarRange {
  readonly topic: string;
  readonly partition: number;
  readonly symbol: string;
  /** From, ms; up to, exclusive. */
  readonly from: number;
  readonly to: number;
}

/** In order of time; where the range is larger than may be read, its beginning. */
export async function readBars(log: EventLog, range: BarRange): Promise<Bar[]> {
  const { topic, partition, symbol, from, to } = range;
  const { first, end } = await log.bounds(topic, partition);
  const found: Bar[] = [];
  let looked = 0;
  for (let at = await offsetAt(log, range, first, end); at < end && looked < READ_MAX; ) {
    const { records, next } = await log.read(topic, partition, at);
    if (records.length === 0) break;
    looked += records.length;
    let newest = 0;
    for (const { key, value } of records) {
      if (!value) continue;
      // The key tells whose it is, so that the others need not be decoded; the last tells how far time has come.
      if (key === symbol) {
        const bar = JSON.parse(Buffer.from(value).toString()) as Bar;
        if (bar.timestamp >= from && bar.timestamp < to) found.push(bar);
      }
    }
    const last = records.at(-1)?.value;
    if (last) newest = (JSON.parse(Buffer.from(last).toString()) as Bar).timestamp;
    if (newest >= to + DISORDER_MS) break;
    at = next;
  }
  return found;
}

/** An offset before which no bar of the range stands. */
async function offsetAt(
  log: EventLog,
  { topic, partition, from }: BarRange,
  first: number,
  end: number,
): Promise<number> {
  let low = first;
  let high = end;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const { records } = await log.read(topic, partition, middle, { maxRecords: 1 });
    const value = records[0]?.value;
    const timestamp = value ? (JSON.parse(Buffer.from(value).toString()) as Bar).timestamp : Number.POSITIVE_INFINITY;
    if (timestamp < from - DISORDER_MS) low = middle + 1;
    else high = middle;
  }
  return low;
}
