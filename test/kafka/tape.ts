/** A market's tape on Kafka, what a backtest makes of it, and what stands on the topics in the end. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { backtest } from '../../src/backtest/backtest.ts';
import { openTapes } from '../../src/commands/tapes.ts';
import type { ArtefactJson } from '../../src/detection/artefact.ts';
import type { Policy } from '../../src/detection/detector.ts';
import type { EventLog, NewRecord } from '../../src/event-log/event-log.ts';
import { encodeAnomaly, encodeBar, encodeTrade } from '../../src/market/codec.ts';
import { partitionOf } from '../../src/market/partition.ts';
import { Random } from '../../src/market/random.ts';
import type { Bar, Trade, TradeText } from '../../src/market/records.ts';
import { DEFAULT_MODEL } from '../../src/model/artefact-file.ts';
import { processClock } from '../../src/transport/network.ts';
import { jars } from './broker.ts';

export const START = Date.UTC(2026, 0, 5);

export interface TapeSize {
  readonly seed: number;
  readonly symbols: number;
  readonly trades: number;
}

/** Long enough for every symbol to warm up, however few its trades are. */
const SPAN_S = 7200;
const WARM_S = 3700;
const BURSTS = 3;
const BURST_TRADES = 40;

/** Symbols that trade thinly for two hours; in the second, each has a few bursts in which its price runs away. */
export function tapeOf({ seed, symbols, trades }: TapeSize): TradeText[] {
  const random = new Random(seed);
  const each = Math.floor(trades / symbols) - BURSTS * BURST_TRADES;
  const tape: TradeText[] = [];
  for (let s = 0; s < symbols; s++) {
    const moments: { readonly s: number; readonly burst: number }[] = [];
    for (let i = 0; i < each; i++) moments.push({ s: SPAN_S * random.next(), burst: 0 });
    for (let b = 0; b < BURSTS; b++) {
      const at = WARM_S + (SPAN_S - WARM_S - 10) * random.next();
      const drift = random.next() < 0.5 ? -1 : 1;
      for (let i = 0; i < BURST_TRADES; i++) moments.push({ s: at + 3 * random.next(), burst: drift });
    }
    moments.sort((a, b) => a.s - b.s);
    let ticks = 100_000;
    for (const [id, { s: at, burst }] of moments.entries()) {
      ticks += Math.round(4 * (random.next() - 0.5)) + burst * Math.round(100 * random.next());
      tape.push({
        timeUs: START * 1000 + Math.round(at * 1e6),
        symbol: `S${String(s).padStart(3, '0')}USDT`,
        id,
        price: (ticks / 100).toFixed(2),
        volume: ((burst === 0 ? 1 : 20) * (0.01 + random.next())).toFixed(4),
        side: burst > 0 || (burst === 0 && random.next() < 0.5) ? 'buy' : 'sell',
      });
    }
  }
  return tape.sort((a, b) => a.timeUs - b.timeUs || (a.symbol < b.symbol ? -1 : a.symbol > b.symbol ? 1 : a.id - b.id));
}

export function asTrade({ timeUs, symbol, id, price, volume, side }: TradeText): Trade {
  return { timestamp: timeUs / 1000, symbol, id, price: Number(price), volume: Number(volume), side };
}

/** Lines by topic and symbol, in order. */
export type Lines = Map<string, string[]>;

/** What one uninterrupted backtest gives. */
export async function expected(trades: readonly TradeText[], policy: Policy): Promise<Lines> {
  const lines: Lines = new Map();
  async function* tape(): AsyncIterable<Trade[]> {
    for (let i = 0; i < trades.length; i += 10_000) yield trades.slice(i, i + 10_000).map(asTrade);
  }
  const { anomalies } = await backtest({
    tapes: [tape()],
    policy,
    onBar: (bar) => push(lines, `bars ${bar.symbol}`, encodeBar(bar)),
  });
  for (const anomaly of anomalies) push(lines, `anomalies ${anomaly.symbol}`, encodeAnomaly(anomaly));
  return lines;
}

/** What one uninterrupted backtest of the topics gives, with the activations that stand on them. */
export async function expectedOfTopics(brokers: readonly string[], prefix: string, policy: Policy): Promise<Lines> {
  process.env['TAPEWATCH_KAFKA_PREFIX'] = prefix;
  const { read, resolve, close } = await openTapes([`kafka://${brokers.join(',')}`]);
  const lines: Lines = new Map();
  try {
    const onBar = (bar: Bar): void => push(lines, `bars ${bar.symbol}`, encodeBar(bar));
    const { anomalies } = await backtest({ tapes: read(), policy, resolve, onBar });
    for (const anomaly of anomalies) push(lines, `anomalies ${anomaly.symbol}`, encodeAnomaly(anomaly));
  } finally {
    delete process.env['TAPEWATCH_KAFKA_PREFIX'];
    await close();
  }
  return lines;
}

/** A model of a market wilder than the shipped one’s: everything comes about three times as often. Returns its file. */
export function wilderModel(dir: string): string {
  const json = JSON.parse(readFileSync(DEFAULT_MODEL, 'utf8')) as ArtefactJson;
  for (const tail of [...Object.values(json.calibration.kinds), json.calibration.union])
    (tail as { log_period: readonly number[] }).log_period = tail.log_period.map((period) => period - 1);
  const path = join(dir, 'wilder.json');
  writeFileSync(path, JSON.stringify(json));
  return path;
}

/** What the command `backtest` printed, and wrote as bars. */
export function printed(anomalies: string, bars: string): Lines {
  const lines: Lines = new Map();
  for (const [topic, text] of Object.entries({ anomalies, bars }))
    for (const line of text.split('\n'))
      if (line !== '') push(lines, `${topic} ${/"symbol":"([^"]+)"/.exec(line)![1]}`, line);
  return lines;
}

export function countOf(lines: Lines, topic: 'anomalies' | 'bars'): number {
  return [...lines].filter(([name]) => name.startsWith(topic)).reduce((sum, [, its]) => sum + its.length, 0);
}

function push(lines: Lines, name: string, line: string): void {
  const list = lines.get(name);
  if (list) list.push(line);
  else lines.set(name, [line]);
}

/** Appends the tape at about `rate` trades a second; what can't be written now is written later, in order. */
export async function feed(
  log: EventLog,
  trades: readonly TradeText[],
  rate: number,
  told: (sent: number) => void = () => undefined,
): Promise<void> {
  const partitions = await log.partitions('trades');
  const began = performance.now();
  for (let sent = 0; sent < trades.length; ) {
    const due = Math.min(trades.length, Math.ceil(((performance.now() - began) / 1000) * rate), sent + 2000);
    if (due <= sent) {
      await processClock.sleep(5);
      continue;
    }
    const records: NewRecord[] = trades.slice(sent, due).map((trade) => ({
      topic: 'trades',
      key: trade.symbol,
      value: Buffer.from(encodeTrade(trade)),
      partition: partitionOf(trade.symbol, partitions),
    }));
    await log.append(records);
    sent = due;
    told(sent);
  }
}

/** All that a read_committed reader sees on `anomalies` and `bars`. */
export async function written(log: EventLog): Promise<Lines> {
  const lines: Lines = new Map();
  for (const topic of ['anomalies', 'bars']) {
    for (let partition = 0; partition < (await log.partitions(topic)); partition++) {
      for (let from = 0; ; ) {
        const { records, next } = await log.read(topic, partition, from);
        if (records.length === 0) break;
        for (const { key, value } of records) push(lines, `${topic} ${key}`, String(value));
        from = next;
      }
    }
  }
  return lines;
}

/** The same as `written`, by Apache Kafka's own Java client; and how many records were there that it does not see. */
export function writtenByReference(brokers: readonly string[], prefix: string): { lines: Lines; aborted: number } {
  const lines: Lines = new Map();
  const read = (topic: string, isolation: string): string[] =>
    execFileSync(
      'java',
      [
        '-Xmx512m',
        '-cp',
        `${jars()}/*`,
        fileURLToPath(new URL('./ReadAll.java', import.meta.url)),
        brokers.join(','),
        prefix + topic,
        isolation,
      ],
      { maxBuffer: 1 << 30, stdio: ['ignore', 'pipe', 'ignore'] },
    )
      .toString()
      .split('\n')
      .filter((line) => line !== '');
  let aborted = 0;
  for (const topic of ['anomalies', 'bars']) {
    const committed = read(topic, 'read_committed');
    for (const line of committed) {
      const tab = line.indexOf('\t');
      push(lines, `${topic} ${line.slice(0, tab)}`, line.slice(tab + 1));
    }
    aborted += read(topic, 'read_uncommitted').length - committed.length;
  }
  return { lines, aborted };
}

export interface Difference {
  readonly lost: number;
  readonly doubled: number;
  readonly wrong: number;
  /** The first place where they differ, for people. */
  readonly first: string | null;
}

/** Compares line by line, symbol by symbol. */
export function differenceOf(actual: Lines, wanted: Lines): Difference {
  let [lost, doubled, wrong] = [0, 0, 0];
  let first: string | null = null;
  for (const name of new Set([...wanted.keys(), ...actual.keys()])) {
    const want = wanted.get(name) ?? [];
    const got = actual.get(name) ?? [];
    const known = new Set(want);
    const seen = new Set(got);
    lost += want.filter((line) => !seen.has(line)).length;
    wrong += [...seen].filter((line) => !known.has(line)).length;
    doubled += got.length - seen.size;
    const at = Math.max(
      want.findIndex((line, i) => line !== got[i]),
      got.findIndex((line, i) => line !== want[i]),
    );
    if (at >= 0) first ??= `${name}, line ${at} of ${want.length}: ${got[at]} instead of ${want[at]}`;
  }
  return { lost, doubled, wrong, first };
}

/** Till the group has read all there is. */
export async function drained(lag: () => Promise<number>, withinMs: number): Promise<void> {
  for (let waited = 0; ; waited += 250) {
    const left = await lag().catch(() => Number.NaN);
    if (left === 0) return;
    if (waited > withinMs) throw new Error(`The group is still ${left} records behind after ${withinMs / 1000} s.`);
    await processClock.sleep(250);
  }
}
