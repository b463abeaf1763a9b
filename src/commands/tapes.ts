/** What `--tape` names: files, folders of them, the data folder of a log, or the log on Kafka. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Bounds, EventLog } from '../event-log/event-log.ts';
import { topicNames } from '../event-log/topics.ts';
import { decodeTapeRecord } from '../market/codec.ts';
import { TapewatchError } from '../market/error.ts';
import { partitionOf } from '../market/partition.ts';
import type { TapeRecord } from '../market/records.ts';
import { ModelRegistry, resolvePolicy } from '../model/registry.ts';
import type { Resolve } from '../pipeline/tape-detector.ts';
import { readSettings } from '../settings.ts';
import { readTape, sizeOfFiles, type TapeOptions } from '../tape-files/tape.ts';
import { say } from './output.ts';

export interface Tapes {
  /** One for files, one a partition for a log; from the beginning at each call. */
  read(): readonly AsyncIterable<readonly TapeRecord[]>[];
  /** Bytes of files or records of a log, in all; progress counts up to it. */
  readonly size: number;
  /** What activations on the tapes ask for: a log has the models, files have only the one at hand. */
  readonly resolve: Resolve;
  close(): Promise<void>;
}

export async function openTapes(paths: readonly string[], options: TapeOptions = {}): Promise<Tapes> {
  const [first] = paths;
  const log = first === undefined ? null : await openLog(first);
  if (!log) return filesAsTapes(paths, options);
  if (paths.length > 1) {
    await log.close();
    throw new TapewatchError('usage', `${first} is a log: give it alone as --tape.`);
  }
  const { trades, models } = topicNames('');
  const registry = new ModelRegistry(log, models);
  const bounds: Bounds[] = [];
  for (let partition = 0; partition < (await log.partitions(trades)); partition++)
    bounds.push(await log.bounds(trades, partition));
  const records = bounds.reduce((sum, { first: from, end }) => sum + end - from, 0);
  let read = 0;
  const onRead = (count: number): void => {
    read += count;
    options.onProgress?.(read);
  };
  return {
    read: () => {
      read = 0;
      return bounds.map((within, partition) => readPartition(log, trades, partition, within, registry, onRead));
    },
    size: records,
    resolve: registry.resolve,
    close: () => log.close(),
  };
}

/** A data folder, or the topics on Kafka: `kafka://host:port,…`, all else of the connection from the environment. */
async function openLog(path: string): Promise<EventLog | null> {
  const brokers = /^kafka:\/\/(.*)$/.exec(path)?.[1];
  // Loaded where they are needed: files are read without them, and a start takes half the time.
  if (brokers !== undefined) {
    const { openKafka } = await import('./kafka.ts');
    return openKafka(readSettings(brokers === '' ? {} : { kafka: brokers }), 'tape');
  }
  if (!existsSync(join(path, 'log'))) return null;
  const { openEmbeddedLog } = await import('../event-log/embedded/embedded-log.ts');
  return openEmbeddedLog({ dir: path, now: Date.now });
}

function filesAsTapes(paths: readonly string[], options: TapeOptions): Tapes {
  const leftOut = new Set<string>();
  const onLeftOut = (path: string): void => {
    if (!leftOut.has(path)) say(`${path} is no tape and is left out.`);
    leftOut.add(path);
  };
  return {
    read: () => [readTape(paths, { ...options, onLeftOut })],
    size: sizeOfFiles(paths),
    resolve: (wanted, before) => resolvePolicy(wanted, before, () => null),
    close: () => Promise.resolve(),
  };
}

/** The tape of one symbol out of a log. */
export async function tapeOfSymbol(log: EventLog, symbol: string): Promise<AsyncIterable<readonly TapeRecord[]>> {
  const { trades, models } = topicNames('');
  const partition = partitionOf(symbol, await log.partitions(trades));
  return readPartition(log, trades, partition, await log.bounds(trades, partition), new ModelRegistry(log, models));
}

/** A log's records that can be read, the models they name at hand; the others stand in its dead letters. */
export async function* readPartition(
  log: EventLog,
  topic: string,
  partition: number,
  { first, end }: Bounds,
  registry: ModelRegistry,
  onRead: (records: number) => void = () => undefined,
): AsyncIterable<TapeRecord[]> {
  for (let from = first; from < end; ) {
    const { records, next } = await log.read(topic, partition, from);
    if (next === from) return;
    const batch: TapeRecord[] = [];
    for (const { value } of records) {
      try {
        if (value) batch.push(decodeTapeRecord(value));
      } catch (error) {
        if (!(error instanceof TapewatchError)) throw error;
      }
    }
    for (const record of batch) if ('model' in record && record.model !== null) await registry.prepare([record.model]);
    onRead(next - from);
    yield batch;
    from = next;
  }
}

export async function* oneAfterTheOther(
  tapes: readonly AsyncIterable<readonly TapeRecord[]>[],
): AsyncIterable<readonly TapeRecord[]> {
  for (const tape of tapes) yield* tape;
}
