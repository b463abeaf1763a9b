/** `tapewatch compare`: what a shadow would have said against what is in force; or two files of anomalies. */
import { readFileSync } from 'node:fs';
import type { EventLog } from '../event-log/event-log.ts';
import { shadowTopics, topicNames } from '../event-log/topics.ts';
import { decodeTapeRecord } from '../market/codec.ts';
import { TapewatchError } from '../market/error.ts';
import { partitionOf } from '../market/partition.ts';
import { type Anomaly, isTrade } from '../market/records.ts';
import { readSettings } from '../settings.ts';
import { type Comparison, compare, countsBy, countsOf, incidentsOf, medianDelay_s } from './comparison.ts';
import { comparisonText } from './comparison-text.ts';
import { openKafka } from './kafka.ts';
import { type OptionsByName, optionsByKey } from './options.ts';
import { print, say } from './output.ts';
import { shadowGroup, shadowName } from './shadow.ts';

export interface CompareCommand extends OptionsByName {
  readonly from?: string;
  readonly json?: boolean;
}

/** Of one side: its records within what both have seen, and the models they name. */
interface Said {
  readonly name: string;
  readonly records: readonly Anomaly[];
}

const GROUP = 'detect';

export async function runCompare(names: readonly string[], options: CompareCommand): Promise<void> {
  const since = sinceOf(options.from);
  const [first, second, ...more] = names as [string, string?];
  if (more.length > 0)
    throw new TapewatchError('usage', 'Give the name of one shadow, or two files: the active one’s anomalies first.');
  const [active, other] = second === undefined ? await overKafka(first, options) : [fromFile(first), fromFile(second)];
  const opened = ({ records }: Said) => incidentsOf(records).filter(({ from }) => from >= since);
  const comparison = compare(opened(active), opened(other));
  await print(
    options.json ? `${JSON.stringify(asJson(active, other, comparison))}\n` : comparisonText(other.name, comparison),
  );
}

function asJson(active: Said, other: Said, comparison: Comparison): object {
  const { both, activeAlone, otherAlone } = comparison;
  const models = ({ name, records }: Said) => ({
    name,
    models: [...new Set(records.map(({ evidence }) => evidence.model))],
  });
  return {
    active: models(active),
    other: models(other),
    counts: countsOf(comparison),
    medianDelay_s: medianDelay_s(both),
    bySymbol: Object.fromEntries(countsBy(comparison, ({ symbol }) => symbol)),
    byKind: Object.fromEntries(countsBy(comparison, ({ kind }) => kind)),
    both,
    activeAlone,
    otherAlone,
  };
}

async function overKafka(reference: string, options: CompareCommand): Promise<readonly [Said, Said]> {
  const log = await openKafka(readSettings(optionsByKey(options)), 'compare');
  try {
    const name = shadowName(reference);
    const { trades, anomalies } = topicNames('');
    const shadow = shadowTopics(name).anomalies;
    const partitions = await log.partitions(trades);
    await log.partitions(shadow).catch((cause: unknown) => {
      if (!(cause instanceof TapewatchError && cause.code === 'not_found')) throw cause;
      throw new TapewatchError(
        'not_found',
        `There is no shadow ${name}: "tapewatch detect --shadow ${name}" runs one.`,
      );
    });
    const spans = await Promise.all(Array.from({ length: partitions }, (_, p) => seenByBoth(log, trades, p, name)));
    const within = ({ symbol, timestamp }: Anomaly): boolean => {
      const { from, until } = spans[partitionOf(symbol, partitions)]!;
      return timestamp >= from && timestamp <= until;
    };
    const read = async (topic: string) => (await readAnomalies(log, topic)).filter(within);
    const behind = spans.reduce((sum, { behind: its }) => sum + its, 0);
    if (behind > 0) say(`${name} has ${behind} records still to read: what comes after is left out on both sides.`);
    return [
      { name: 'active', records: await read(anomalies) },
      { name, records: await read(shadow) },
    ];
  } finally {
    await log.close();
  }
}

/** Event times (ms) of a partition's trades that are still there and that both groups have passed. */
async function seenByBoth(
  log: EventLog,
  trades: string,
  partition: number,
  name: string,
): Promise<{ readonly from: number; readonly until: number; readonly behind: number }> {
  const { first, end } = await log.bounds(trades, partition);
  const passed = await Promise.all([GROUP, shadowGroup(name)].map((group) => log.committed(group, trades, partition)));
  const [active, shadow] = passed.map((offset) => offset ?? first) as [number, number];
  const until = Math.min(active, shadow);
  return {
    from: (await timeWithin(log, trades, partition, first, until)) ?? Number.POSITIVE_INFINITY,
    until: (await lastTimeBefore(log, trades, partition, first, until)) ?? Number.NEGATIVE_INFINITY,
    behind: Math.max(0, end - shadow),
  };
}

const TAIL_RECORDS = 1000;

/** The event time of the first trade in a stretch, ms. */
async function timeWithin(
  log: EventLog,
  topic: string,
  partition: number,
  from: number,
  until: number,
): Promise<number | null> {
  for (let at = from; at < until; ) {
    const { records, next } = await log.read(topic, partition, at, { maxRecords: TAIL_RECORDS });
    if (records.length === 0) return null;
    for (const { value, offset } of records) {
      const time = offset < until ? timeOf(value) : null;
      if (time !== null) return time;
    }
    at = next;
  }
  return null;
}

/** The largest event time among the last records before `until`; further back where they hold none. */
async function lastTimeBefore(
  log: EventLog,
  topic: string,
  partition: number,
  first: number,
  until: number,
): Promise<number | null> {
  for (let to = until; to > first; to -= TAIL_RECORDS) {
    let last: number | null = null;
    for (let at = Math.max(first, to - TAIL_RECORDS); at < to; ) {
      const { records, next } = await log.read(topic, partition, at);
      if (records.length === 0) break;
      for (const { value, offset } of records) {
        const time = offset < to ? timeOf(value) : null;
        if (time !== null && (last === null || time > last)) last = time;
      }
      at = next;
    }
    if (last !== null) return last;
  }
  return null;
}

/** What detection calls event time: of trades, and what a heartbeat promises. */
function timeOf(value: Uint8Array | null): number | null {
  try {
    const record = value ? decodeTapeRecord(value) : null;
    return record && (isTrade(record) || record.type === 'heartbeat') ? record.timestamp : null;
  } catch (error) {
    if (error instanceof TapewatchError) return null;
    throw error;
  }
}

async function readAnomalies(log: EventLog, topic: string): Promise<Anomaly[]> {
  const found: Anomaly[] = [];
  for (let from = 0; ; ) {
    const { records, next } = await log.read(topic, 0, from);
    if (records.length === 0) return found;
    for (const { value } of records) if (value) found.push(JSON.parse(new TextDecoder().decode(value)) as Anomaly);
    from = next;
  }
}

/** What `backtest` and `alerts --json` print. @throws TapewatchError `usage`. */
function fromFile(path: string): Said {
  try {
    const lines = readFileSync(path, 'utf8').split('\n');
    const records = lines.filter((line) => line.trim() !== '').map((line) => JSON.parse(line) as Anomaly);
    const wrong = records.findIndex((record) => typeof record.id !== 'string' || typeof record.phase !== 'string');
    if (wrong >= 0) throw new Error(`line ${wrong + 1} is no anomaly`);
    return { name: path, records };
  } catch (cause) {
    throw new TapewatchError(
      'usage',
      `Can't read ${path}: ${(cause as Error).message}. It must be anomalies as "tapewatch backtest" prints them.`,
      { cause },
    );
  }
}

/** @throws TapewatchError `usage`. */
function sinceOf(text: string | undefined): number {
  if (text === undefined) return Number.NEGATIVE_INFINITY;
  const ms = Date.parse(text);
  if (Number.isNaN(ms))
    throw new TapewatchError('usage', `--from is ${text}: it must be a time such as 2026-01-05T12:00Z.`);
  return ms;
}
