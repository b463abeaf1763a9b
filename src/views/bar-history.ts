/** Bars older than what is held in memory, found in the log by halving: a partition's bars stand about in order of time. */
import type { EventLog } from '../event-log/event-log.ts';
import type { Bar } from '../market/records.ts';

/** Bars of neighbours in a partition lie at most this far out of order, ms: symbols are told at their own next trade. */
const DISORDER_MS = 120_000;
/** Records looked at for one answer. */
const READ_MAX = 100_000;

export interface BarRange {
  readonly topic: string;
  readonly partition: number;
  readonly symbol: string;
  /** From, ms; up to, exclusive. */
  readonly from: number;
  readonly to: number;
}

/** In order of time; where the range is larger than may be read, its end: an earlier range then goes on from there. */
export async function readBars(log: EventLog, range: BarRange, readMax: number = READ_MAX): Promise<Bar[]> {
  const { topic, partition, symbol, from, to } = range;
  const { first, end } = await log.bounds(topic, partition);
  const found: Bar[] = [];
  const start = await offsetAt(log, range, from - DISORDER_MS, first, end);
  const stop = await offsetAt(log, range, to + DISORDER_MS, start, end);
  for (let at = Math.max(start, stop - readMax); at < stop; ) {
    const { records, next } = await log.read(topic, partition, at);
    if (records.length === 0) break;
    for (const { key, value } of records) {
      // The key tells whose it is, so that the others need not be decoded.
      if (key !== symbol || !value) continue;
      const bar = JSON.parse(Buffer.from(value).toString()) as Bar;
      if (bar.timestamp >= from && bar.timestamp < to) found.push(bar);
    }
    at = next;
  }
  return found;
}

/** The first offset, about, of a bar stamped at or after `time`. */
async function offsetAt(
  log: EventLog,
  { topic, partition }: BarRange,
  time: number,
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
    if (timestamp < time) low = middle + 1;
    else high = middle;
  }
  return low;
}
