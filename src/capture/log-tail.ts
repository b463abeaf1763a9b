/** What a partition of `trades` last held, by the rule of its readers. Read backwards in steps. */
import type { EventLog, LogRecord } from '../event-log/event-log.ts';
import { decodeTapeRecord } from '../market/codec.ts';
import { isTrade, type TapeRecord } from '../market/records.ts';

/** Records of the first step; each is larger than the one before, since a symbol not found is a rare one. */
const STEP_FIRST = 2000;
const STEP_GROWTH = 4;
const STEP_MAX = 128_000;

export interface Tail {
  /** Each symbol's last id. */
  readonly lastIds: ReadonlyMap<string, number>;
  /** The highest epoch, 0 where there is none. */
  readonly epoch: number;
  /** Event time of the last heartbeat, ms, 0 where there is none. */
  readonly promised: number;
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
  const missing = new Set(symbols);
  let epoch = 0;
  let promised = 0;
  let size = STEP_FIRST;
  for (let to = end; to > first && (missing.size > 0 || epoch === 0); to -= size) {
    if (to < end) size = Math.min(STEP_MAX, size * STEP_GROWTH);
    const step = new Step(missing, epoch === 0);
    for (let at = Math.max(first, to - size); at < to; ) {
      const { records, next } = await log.read(topic, partition, at, { maxRecords: to - at });
      for (const record of records) if (record.offset < to) step.read(record);
      if (next <= at) break;
      at = next;
    }
    for (const [symbol, id] of step.lastIds) if (missing.delete(symbol)) lastIds.set(symbol, id);
    epoch = Math.max(epoch, step.epoch);
    promised = Math.max(promised, step.promised);
  }
  return { lastIds, epoch, promised };
}

/** Some records in order. An owner that has been replaced may still have written: what readers pass over is passed over here. */
class Step {
  readonly lastIds = new Map<string, number>();
  epoch = 0;
  promised = 0;
  readonly #wanted: ReadonlySet<string>;
  readonly #all: boolean;

  /** Trades of others than `wanted` symbols are not decoded; `all` says that epochs are wanted too. */
  constructor(wanted: ReadonlySet<string>, all: boolean) {
    this.#wanted = wanted;
    this.#all = all;
  }

  read({ key, value }: LogRecord): void {
    if (value === null || (!this.#all && key !== null && !this.#wanted.has(key))) return;
    const record = decoded(value);
    if (record === null) return;
    if (isTrade(record)) {
      this.#passed(record.symbol, record.id);
      return;
    }
    if ('epoch' in record && record.epoch !== undefined) {
      if (record.epoch < this.epoch) return;
      this.epoch = record.epoch;
    }
    if (record.type === 'gap' && record.last !== null) this.#passed(record.symbol, record.last);
    else if (record.type === 'heartbeat') this.promised = Math.max(this.promised, record.timestamp);
  }

  #passed(symbol: string, id: number): void {
    if (this.#wanted.has(symbol)) this.lastIds.set(symbol, Math.max(id, this.lastIds.get(symbol) ?? -1));
  }
}

/** Null where a record can't be read: detection sends it to the dead letters. */
function decoded(value: Uint8Array): TapeRecord | null {
  try {
    return decodeTapeRecord(value);
  } catch {
    return null;
  }
}
