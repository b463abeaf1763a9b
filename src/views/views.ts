/** What the API and the terminal read: anomalies, bars and trades from the log, the last of each, in bounded memory. */
import type { EventLog } from '../event-log/event-log.ts';
import type { TopicNames } from '../event-log/topics.ts';
import { decodeTapeRecord } from '../market/codec.ts';
import { TapewatchError } from '../market/error.ts';
import { partitionOf } from '../market/partition.ts';
import {
  type Anomaly,
  type Bar,
  type HistoryBar,
  incidentOf,
  isTrade,
  type Status,
  type Trade,
} from '../market/records.ts';
import { type Annotation, decodeAnnotation } from './annotations.ts';
import { readBars } from './bar-history.ts';

const ANOMALIES_MAX = 20_000;
const BARS_A_SYMBOL = 3600;
const TRADES_A_SYMBOL = 1000;

export interface StoredAnomaly {
  /** Its offset in the log: API cursor and SSE id. */
  readonly offset: number;
  readonly anomaly: Anomaly;
}

export interface SymbolView {
  readonly symbol: string;
  price: number;
  /** Time of the last bar, ms. */
  timestamp: number;
  score: number;
  level: number;
  /** Whether the exchange halted it, as the tape says. */
  halted: boolean;
  bars: Bar[];
  trades: Trade[];
}

export interface AnomalyFilter {
  readonly symbol?: string | undefined;
  readonly kind?: string | undefined;
  readonly severity?: string | undefined;
  readonly from?: number | undefined;
  readonly to?: number | undefined;
  /** Only those before this offset, newest first. */
  readonly cursor?: number | undefined;
  readonly limit: number;
}

export type ViewEvent =
  | { readonly type: 'anomaly'; readonly stored: StoredAnomaly }
  | { readonly type: 'bar'; readonly bar: Bar }
  | { readonly type: 'trade'; readonly trade: Trade }
  | { readonly type: 'status'; readonly status: Status }
  | { readonly type: 'annotation'; readonly annotation: Annotation };

export class Views {
  readonly #log: EventLog;
  readonly #topics: TopicNames;
  readonly #anomalies: StoredAnomaly[] = [];
  readonly #symbols = new Map<string, SymbolView>();
  readonly #annotations = new Map<string, Annotation>();
  readonly #listeners = new Set<(event: ViewEvent) => void>();

  constructor(log: EventLog, topics: TopicNames) {
    this.#log = log;
    this.#topics = topics;
  }

  /** Follows the log until the signal fires: all anomalies, and bars and trades from `recent` records before the end. */
  async run(signal: AbortSignal, recent = 20_000): Promise<void> {
    const bars = await this.#log.partitions(this.#topics.bars);
    const trades = await this.#log.partitions(this.#topics.trades);
    const follow = (
      topic: string,
      count: number,
      back: number,
      take: (offset: number, value: Uint8Array) => void,
    ): Promise<void>[] =>
      Array.from({ length: count }, (_, partition) => this.#follow(topic, partition, back, take, signal));
    await Promise.all([
      ...follow(this.#topics.anomalies, 1, ANOMALIES_MAX, (offset, value) => this.#takeAnomaly(offset, value)),
      ...follow(this.#topics.annotations, 1, ANOMALIES_MAX, (_, value) => this.#takeAnnotation(value)),
      ...follow(this.#topics.bars, bars, recent, (_, value) => this.#takeBar(JSON.parse(String(value)) as Bar)),
      ...follow(this.#topics.trades, trades, recent, (_, value) => this.#takeRecord(value)),
    ]);
  }

  on(listener: (event: ViewEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  symbols(): readonly SymbolView[] {
    return [...this.#symbols.values()];
  }

  symbol(name: string): SymbolView | undefined {
    return this.#symbols.get(name);
  }

  /**
   * A symbol's bars of a range (ms, the end exclusive), in order of time: what is held, and before that what the log has.
   * Without `from` only what is held.
   */
  async bars(symbol: string, from: number | undefined, to: number): Promise<readonly Bar[]> {
    const held = this.#symbols.get(symbol)?.bars ?? [];
    const within = held.filter(({ timestamp }) => timestamp >= (from ?? 0) && timestamp < to);
    const oldest = held[0]?.timestamp ?? to;
    if (from === undefined || from >= oldest) return within;
    const topic = this.#topics.bars;
    const partition = partitionOf(symbol, await this.#log.partitions(topic));
    const older = await readBars(this.#log, { topic, partition, symbol, from, to: Math.min(to, oldest) });
    return [...older, ...within];
  }

  /** `latest` is the newest. */
  anomaly(id: string): Anomaly | undefined {
    if (id === 'latest') return this.#anomalies.at(-1)?.anomaly;
    return this.#anomalies.findLast(({ anomaly }) => anomaly.id === id)?.anomaly;
  }

  /** What people said about an incident. */
  annotation(incident: string): Annotation | undefined {
    return this.#annotations.get(incident);
  }

  annotations(): Iterable<Annotation> {
    return this.#annotations.values();
  }

  /** Newest first. */
  anomalies(filter: AnomalyFilter): readonly StoredAnomaly[] {
    const found: StoredAnomaly[] = [];
    for (let i = this.#anomalies.length - 1; i >= 0 && found.length < filter.limit; i--) {
      const stored = this.#anomalies[i]!;
      if (filter.cursor !== undefined && stored.offset >= filter.cursor) continue;
      if (fits(stored.anomaly, filter)) found.push(stored);
    }
    return found;
  }

  /** Anomalies after an offset, oldest first: for a stream that resumes. */
  after(offset: number): readonly StoredAnomaly[] {
    return this.#anomalies.filter((stored) => stored.offset > offset);
  }

  /** Each incident's records, newest incident first. */
  incidents(limit: number): readonly (readonly Anomaly[])[] {
    const byIncident = Map.groupBy(this.#anomalies, ({ anomaly }) => incidentOf(anomaly.id));
    return [...byIncident.values()]
      .reverse()
      .slice(0, limit)
      .map((records) => records.map(({ anomaly }) => anomaly));
  }

  async #follow(
    topic: string,
    partition: number,
    back: number,
    take: (offset: number, value: Uint8Array) => void,
    signal: AbortSignal,
  ): Promise<void> {
    const { first, end } = await this.#log.bounds(topic, partition);
    let from = Math.max(first, end - back);
    while (!signal.aborted) {
      const { records, next } = await this.#log.read(topic, partition, from, { waitMs: 1000, signal });
      for (const { offset, value } of records) if (value) take(offset, value);
      from = next;
    }
  }

  #takeAnomaly(offset: number, value: Uint8Array): void {
    const stored = { offset, anomaly: JSON.parse(String(value)) as Anomaly };
    this.#anomalies.push(stored);
    if (this.#anomalies.length > ANOMALIES_MAX) this.#anomalies.splice(0, 1000);
    this.#tell({ type: 'anomaly', stored });
  }

  #takeAnnotation(value: Uint8Array): void {
    const annotation = decodeAnnotation(value);
    // The last word goes to the end, so that what is dropped beyond the bound is the oldest.
    this.#annotations.delete(annotation.incident);
    this.#annotations.set(annotation.incident, annotation);
    for (const oldest of this.#annotations.keys()) {
      if (this.#annotations.size <= ANOMALIES_MAX) break;
      this.#annotations.delete(oldest);
    }
    this.#tell({ type: 'annotation', annotation });
  }

  /**
   * From before the first live trade: seen on a chart, never scored. Bars of live trades come from another topic and may
   * be read before it.
   */
  #takeHistory({ type: _, epoch: __, ...bar }: HistoryBar): void {
    if (bar.trades === 0) return;
    const view = this.#of(bar.symbol);
    let at = view.bars.length;
    while (at > 0 && view.bars[at - 1]!.timestamp > bar.timestamp) at--;
    if (view.bars[at - 1]?.timestamp === bar.timestamp) return;
    view.bars.splice(at, 0, { ...bar, score: 0, level: 0 });
    if (at === view.bars.length - 1) {
      view.price = bar.close;
      view.timestamp = bar.timestamp;
    }
    if (view.bars.length > BARS_A_SYMBOL + 600) view.bars.splice(0, 600);
  }

  #takeStatus(status: Status): void {
    if (status.status === 'halted' || status.status === 'resumed') {
      this.#of(status.symbol).halted = status.status === 'halted';
    }
    this.#tell({ type: 'status', status });
  }

  #takeBar(bar: Bar): void {
    const view = this.#of(bar.symbol);
    Object.assign(view, { price: bar.close, timestamp: bar.timestamp, score: bar.score, level: bar.level });
    view.bars.push(bar);
    if (view.bars.length > BARS_A_SYMBOL + 600) view.bars.splice(0, 600);
    this.#tell({ type: 'bar', bar });
  }

  #takeRecord(value: Uint8Array): void {
    let record: ReturnType<typeof decodeTapeRecord>;
    try {
      record = decodeTapeRecord(value);
    } catch (error) {
      if (error instanceof TapewatchError) return;
      throw error;
    }
    if (!isTrade(record)) {
      if (record.type === 'status') this.#takeStatus(record);
      else if (record.type === 'bar') this.#takeHistory(record);
      return;
    }
    const view = this.#of(record.symbol);
    view.price = record.price;
    view.trades.push(record);
    if (view.trades.length > TRADES_A_SYMBOL + 200) view.trades.splice(0, 200);
    this.#tell({ type: 'trade', trade: record });
  }

  #of(symbol: string): SymbolView {
    let view = this.#symbols.get(symbol);
    if (!view) {
      view = { symbol, price: 0, timestamp: 0, score: 0, level: 0, halted: false, bars: [], trades: [] };
      this.#symbols.set(symbol, view);
    }
    return view;
  }

  #tell(event: ViewEvent): void {
    for (const listener of this.#listeners) listener(event);
  }
}

function fits(anomaly: Anomaly, { symbol, kind, severity, from, to }: AnomalyFilter): boolean {
  return (
    (symbol === undefined || anomaly.symbol === symbol) &&
    (kind === undefined || anomaly.kind === kind) &&
    (severity === undefined || anomaly.severity === severity) &&
    (from === undefined || anomaly.timestamp >= from) &&
    (to === undefined || anomaly.timestamp < to)
  );
}
