/** What `--tape` names: files, or the data folder of a log. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { openEmbeddedLog } from '../event-log/embedded/embedded-log.ts';
import type { EventLog } from '../event-log/event-log.ts';
import { topicNames } from '../event-log/topics.ts';
import { decodeTapeRecord } from '../market/codec.ts';
import { TapewatchError } from '../market/error.ts';
import { partitionOf } from '../market/partition.ts';
import type { TapeRecord } from '../market/records.ts';
import { readTape, sizeOfFiles, type TapeOptions } from '../tape-files/tape.ts';
import { say } from './output.ts';

export interface Tapes {
  /** One for files, one a partition for a log; from the beginning at each call. */
  read(): readonly AsyncIterable<readonly TapeRecord[]>[];
  /** Bytes in all, for progress; 0 where unknown. */
  readonly bytes: number;
  close(): Promise<void>;
}

export async function openTapes(paths: readonly string[], options: TapeOptions = {}): Promise<Tapes> {
  const [first] = paths;
  if (first === undefined || !existsSync(join(first, 'log'))) {
    const leftOut = new Set<string>();
    const onLeftOut = (path: string): void => {
      if (!leftOut.has(path)) say(`${path} is no tape and is left out.`);
      leftOut.add(path);
    };
    return {
      read: () => [readTape(paths, { ...options, onLeftOut })],
      bytes: sizeOfFiles(paths),
      close: () => Promise.resolve(),
    };
  }
  if (paths.length > 1) throw new TapewatchError('usage', `${first} is a data folder: give it alone as --tape.`);
  const log = await openEmbeddedLog({ dir: first, now: Date.now });
  const { trades } = topicNames('');
  const partitions = await log.partitions(trades);
  return {
    read: () => Array.from({ length: partitions }, (_, partition) => readPartition(log, trades, partition)),
    bytes: 0,
    close: () => log.close(),
  };
}

/** The tape of one symbol out of a log. */
export async function tapeOfSymbol(log: EventLog, symbol: string): Promise<AsyncIterable<readonly TapeRecord[]>> {
  const { trades } = topicNames('');
  return readPartition(log, trades, partitionOf(symbol, await log.partitions(trades)));
}

/** A log's records that can be read; the others stand in its dead letters. */
async function* readPartition(log: EventLog, topic: string, partition: number): AsyncIterable<TapeRecord[]> {
  for (let from = 0; ; ) {
    const { records, next } = await log.read(topic, partition, from);
    if (records.length === 0) return;
    const batch: TapeRecord[] = [];
    for (const { value } of records) {
      try {
        if (value) batch.push(decodeTapeRecord(value));
      } catch (error) {
        if (!(error instanceof TapewatchError)) throw error;
      }
    }
    yield batch;
    from = next;
  }
}
