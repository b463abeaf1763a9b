/** One partition's detector with what restores it: which symbols changed since when, and their last snapshots. */
import { DETECTOR_VERSION } from '../detection/artefact.ts';
import type { Output, Policy } from '../detection/detector.ts';
import type { NewRecord } from '../event-log/event-log.ts';
import type { DetectionTopics } from '../event-log/topics.ts';
import { encodeAnomaly, encodeBar } from '../market/codec.ts';
import { type Anomaly, incidentOf, type TapeRecord } from '../market/records.ts';
import { encodeEvidence } from './evidence.ts';
import { encodePartition, encodeSnapshot, type SnapshotHead } from './snapshot.ts';
import { type PartitionState, type Resolve, TapeDetector } from './tape-detector.ts';

export interface PartitionOptions {
  readonly partition: number;
  readonly group: string;
  readonly topics: DetectionTopics;
  readonly policy: Policy;
  readonly resolve: Resolve;
}

/** A symbol whose state has gone on from its snapshot. */
interface Change {
  /** Offset of the first record the snapshot lacks, and the partition's state before it. */
  readonly offset: number;
  readonly before: PartitionState;
  readonly at: number;
  readonly count: number;
}

/** A snapshot that is due is written in the next steps, some symbols a step; one that is overdue at once. */
const DUE_MS = 15_000;
const OVERDUE_MS = 27_000;
/** A process may own all partitions: what it replays after kill -9 is to take a second or two, at any rate of trades. */
const DUE_RECORDS = 5000;
const OVERDUE_RECORDS = 10_000;
/** A step writes this share of the changed symbols that are due, so that no alert waits for hundreds of snapshots. */
const STEPS = 16;

export class Partition {
  readonly detector: TapeDetector;
  readonly #options: PartitionOptions;
  readonly #changed = new Map<string, Change>();
  /** Each symbol's last snapshot as it stands on the topic: evidence takes it. One a symbol, about 40 KB. */
  readonly #snapshots = new Map<
    string,
    { readonly offset: number; readonly lastTradeId: number; readonly bytes: Uint8Array }
  >();
  #outputs: NewRecord[] = [];
  #anomalies: Anomaly[] = [];
  #before: PartitionState;
  #offset = 0;
  #now = 0;
  #count = 0;
  #written = { at: 0, count: 0 };

  constructor(options: PartitionOptions) {
    this.#options = options;
    const { policy, resolve } = options;
    this.detector = new TapeDetector({ policy, resolve, output: this.#output() });
    this.#before = this.detector.partitionState;
  }

  /** Takes over a symbol's snapshot: `bytes` as on the topic. */
  restore(symbol: string, head: SnapshotHead, policy: Policy, state: Float64Array, bytes: Uint8Array): void {
    const { offset, reached } = head;
    this.detector.restore(symbol, { policy, state, offset, reached });
    const lastTradeId = this.detector.lastTradeId(symbol);
    this.#snapshots.set(symbol, { offset, lastTradeId, bytes });
  }

  /** False where it is an activation that can't be followed. `now` (ms) tells when the snapshot of what changes is due. */
  feed(record: TapeRecord, offset: number, now: number): boolean {
    this.#before = this.detector.partitionState;
    this.#offset = offset;
    this.#now = now;
    this.#count++;
    if ('symbol' in record) this.#change(record.symbol);
    return this.detector.push(record, offset);
  }

  /** What came out since the last call. */
  take(): { readonly outputs: NewRecord[]; readonly anomalies: readonly Anomaly[] } {
    const taken = { outputs: this.#outputs, anomalies: this.#anomalies };
    this.#outputs = [];
    this.#anomalies = [];
    return taken;
  }

  /** Snapshots that are due at `now`, or of all that changed, valid before the record at `next`; none where none is due. */
  snapshots(next: number, now: number, all = false): NewRecord[] {
    const { topics, group, partition } = this.#options;
    const records: NewRecord[] = [];
    const topic = topics.detectorState;
    for (const symbol of all ? [...this.#changed.keys()] : this.#due(now)) {
      this.#changed.delete(symbol);
      const state = this.detector.symbolState(symbol, next);
      if (!state) continue;
      const bytes = encodeSnapshot(group, state);
      this.#snapshots.set(symbol, { offset: next, lastTradeId: this.detector.lastTradeId(symbol), bytes });
      records.push({ topic, key: symbol, value: bytes, partition });
    }
    const stale = now - this.#written.at >= OVERDUE_MS || this.#count - this.#written.count >= OVERDUE_RECORDS;
    if (records.length === 0 && !stale && !all) return records;
    this.#written = { at: now, count: this.#count };
    // Changes stand in the order of their offsets: the first is the oldest that a snapshot lacks.
    const [oldest] = this.#changed.values();
    const { offset, before } = oldest ?? { offset: next, before: this.detector.partitionState };
    const value = encodePartition({ group, offset, ...before });
    records.push({ topic, key: `partition:${partition}`, value, partition });
    return records;
  }

  *#due(now: number): Iterable<string> {
    let some = Math.ceil(this.#changed.size / STEPS);
    for (const [symbol, { at, count }] of [...this.#changed]) {
      const age = now - at;
      const records = this.#count - count;
      const overdue = age >= OVERDUE_MS || records >= OVERDUE_RECORDS;
      if (!overdue && (some <= 0 || (age < DUE_MS && records < DUE_RECORDS))) return;
      some--;
      yield symbol;
    }
  }

  #change(symbol: string): void {
    if (this.#changed.has(symbol)) return;
    const offset = this.#offset;
    const snapshot = this.#snapshots.get(symbol);
    if (snapshot && offset < snapshot.offset) return;
    this.#changed.set(symbol, { offset, before: this.#before, at: this.#now, count: this.#count });
  }

  #output(): Output {
    const { topics } = this.#options;
    return {
      anomaly: (anomaly) => {
        const { symbol } = anomaly;
        this.#change(symbol);
        if (anomaly.phase === 'open' && topics.evidence !== null)
          this.#outputs.push(this.#evidence(topics.evidence, anomaly));
        const value = Buffer.from(encodeAnomaly(anomaly));
        this.#outputs.push({ topic: topics.anomalies, key: symbol, value, partition: 0 });
        this.#anomalies.push(anomaly);
      },
      bar: (bar) => {
        this.#change(bar.symbol);
        if (topics.bars !== null)
          this.#outputs.push({ topic: topics.bars, key: bar.symbol, value: Buffer.from(encodeBar(bar)) });
      },
    };
  }

  #evidence(topic: string, { id, symbol }: Anomaly): NewRecord {
    const { partition, policy } = this.#options;
    const snapshot = this.#snapshots.get(symbol);
    const change = this.#changed.get(symbol);
    const head = {
      incident: incidentOf(id),
      symbol,
      partition,
      offset: change?.offset ?? this.#offset,
      lastTradeId: snapshot?.lastTradeId ?? -1,
      detector: DETECTOR_VERSION,
      model: policy.artefact.id,
      settings: policy.settings,
      state: change?.before ?? this.#before,
    };
    return { topic, key: head.incident, value: encodeEvidence(head, snapshot?.bytes ?? null) };
  }
}
