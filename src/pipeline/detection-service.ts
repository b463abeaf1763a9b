/** Consume, detect, produce: one atomic step a batch. Snapshots now and then, restore on assignment. */
import { DETECTOR_VERSION } from '../detection/artefact.ts';
import type { Output, Policy } from '../detection/detector.ts';
import type { EventLog, GroupMember, LogRecord, NewRecord } from '../event-log/event-log.ts';
import type { TopicNames } from '../event-log/topics.ts';
import { decodeTapeRecord, encodeAnomaly, encodeBar } from '../market/codec.ts';
import { TapewatchError } from '../market/error.ts';
import type { Anomaly, TapeRecord } from '../market/records.ts';
import { decodeSnapshot, encodeSnapshot } from './snapshot.ts';
import { TapeDetector } from './tape-detector.ts';

export interface DetectionServiceOptions {
  readonly log: EventLog;
  readonly topics: TopicNames;
  readonly group: string;
  readonly policy: Policy;
  /** A name that survives restarts (static membership). */
  readonly instance?: string;
  /** ms since the epoch: when snapshots are due. */
  readonly now: () => number;
  readonly events: {
    batch?(records: number, seconds: number): void;
    anomaly?(anomaly: Anomaly): void;
    restored?(partition: number, records: number): void;
    deadLetter?(reason: string): void;
  };
}

const SNAPSHOT_MS = 30_000;
/** A process may own all partitions: what it replays after kill -9 is to take a second or two, at any rate of trades. */
const SNAPSHOT_RECORDS = 10_000;

interface Partition {
  readonly detector: TapeDetector;
  /** Symbols whose state has changed since their snapshot. */
  readonly changed: Set<string>;
  snapshotAt: number;
  records: number;
}

export class DetectionService {
  readonly #options: DetectionServiceOptions;
  readonly #partitions = new Map<number, Partition>();
  #outputs: NewRecord[] = [];
  #anomalies: Anomaly[] = [];
  #changed: Set<string> = new Set();
  #ready = false;

  constructor(options: DetectionServiceOptions) {
    this.#options = options;
  }

  /** Whether partitions are assigned and their state restored. */
  get isReady(): boolean {
    return this.#ready;
  }

  /** Runs until the signal fires; then what was taken is finished and snapshots are written. */
  async run(signal: AbortSignal): Promise<void> {
    const { log, topics, group, instance } = this.#options;
    const member = await log.join({ group, topic: topics.trades, ...(instance ? { instance } : {}) });
    try {
      for (;;) {
        const event = await member.next(signal);
        if (event.kind === 'revoked') for (const { partition } of event.partitions) this.#partitions.delete(partition);
        else if (event.kind === 'assigned') {
          this.#ready = false;
          for (const { partition, committed } of event.partitions) await this.#restore(partition, committed);
          this.#ready = true;
        } else await this.#step(member, event.partition, event.records, event.next);
      }
    } catch (error) {
      if (!(error instanceof TapewatchError && error.code === 'aborted')) throw error;
    } finally {
      this.#ready = false;
      await member.leave();
    }
  }

  async #step(member: GroupMember, partition: number, records: readonly LogRecord[], next: number): Promise<void> {
    const { topics, events, now } = this.#options;
    const began = now();
    const state = this.#partitions.get(partition);
    if (!state) return;
    this.#changed = state.changed;
    for (const record of records) this.#feed(state, record);
    state.records += records.length;
    if (now() - state.snapshotAt > SNAPSHOT_MS || state.records > SNAPSHOT_RECORDS)
      this.#snapshot(partition, state, next);
    const outputs = this.#outputs;
    const anomalies = this.#anomalies;
    this.#outputs = [];
    this.#anomalies = [];
    try {
      await member.commit(outputs, [{ topic: topics.trades, partition, offset: next }]);
    } catch (error) {
      if (!(error instanceof TapewatchError && error.code === 'fenced')) throw error;
      // What the step held is done again, by whoever owns the partition.
      this.#partitions.delete(partition);
      return;
    }
    for (const anomaly of anomalies) events.anomaly?.(anomaly);
    events.batch?.(records.length, (now() - began) / 1000);
  }

  #feed(state: Partition, record: LogRecord): void {
    const decoded = this.#decode(record);
    if (!decoded) return;
    if ('symbol' in decoded) state.changed.add(decoded.symbol);
    state.detector.push(decoded);
  }

  /** A record that can't be read goes to the dead letters with its reason, and the stream goes on. */
  #decode(record: LogRecord): TapeRecord | null {
    try {
      return decodeTapeRecord(record.value ?? new Uint8Array(0));
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      const { topic, partition, offset } = record;
      const value = Buffer.from(
        JSON.stringify({ reason, topic, partition, offset, value: Buffer.from(record.value ?? []).toString('base64') }),
      );
      this.#outputs.push({ topic: this.#options.topics.deadLetters, key: record.key, value });
      this.#options.events.deadLetter?.(reason);
      return null;
    }
  }

  #output(): Output {
    const { topics } = this.#options;
    return {
      anomaly: (anomaly) => {
        this.#changed.add(anomaly.symbol);
        this.#outputs.push({
          topic: topics.anomalies,
          key: anomaly.symbol,
          value: Buffer.from(encodeAnomaly(anomaly)),
          partition: 0,
        });
        this.#anomalies.push(anomaly);
      },
      bar: (bar) => {
        this.#changed.add(bar.symbol);
        this.#outputs.push({ topic: topics.bars, key: bar.symbol, value: Buffer.from(encodeBar(bar)) });
      },
    };
  }

  #snapshot(partition: number, state: Partition, offset: number): void {
    const { topics, group, now } = this.#options;
    for (const symbol of state.changed) {
      const detector = state.detector.detectors.get(symbol);
      if (!detector) continue;
      const { policy } = detector;
      const head = {
        group,
        offset,
        detector: DETECTOR_VERSION,
        model: policy.artefact.id,
        settings: policy.settingsId,
      };
      this.#outputs.push({
        topic: topics.detectorState,
        key: symbol,
        value: encodeSnapshot(head, detector.state),
        partition,
      });
    }
    const value = Buffer.from(JSON.stringify({ group, offset, ...state.detector.partitionState }));
    this.#outputs.push({ topic: topics.detectorState, key: `partition:${partition}`, value, partition });
    state.changed.clear();
    state.snapshotAt = now();
    state.records = 0;
  }

  /** Snapshots, then the records from there to the committed offset, outputs suppressed. */
  async #restore(partition: number, committed: number | null): Promise<void> {
    const { log, topics, group, policy, now, events } = this.#options;
    const state: Partition = {
      detector: new TapeDetector({ policy, output: this.#output() }),
      changed: new Set(),
      snapshotAt: now(),
      records: 0,
    };
    this.#partitions.set(partition, state);
    if (committed === null) return;
    let from = (await log.bounds(topics.trades, partition)).first;
    for await (const record of log.latest(topics.detectorState, partition)) {
      if (record.key === `partition:${partition}`) {
        const head = JSON.parse(new TextDecoder().decode(record.value!)) as {
          group: string;
          offset: number;
          epoch: number;
        };
        if (head.group !== group) continue;
        from = head.offset;
        state.detector.partitionState = head;
      } else {
        const { head, state: bytes } = decodeSnapshot(record.value!);
        if (head.group === group && head.detector === DETECTOR_VERSION)
          state.detector.restore(record.key!, policy, bytes);
      }
    }
    const { first } = await log.bounds(topics.trades, partition);
    if (from < first) {
      throw new TapewatchError(
        'log_corrupt',
        `Partition ${partition} can't be restored: its trades from offset ${from} on are gone, the log begins at ${first}.`,
      );
    }
    let replayed = 0;
    this.#changed = state.changed;
    for (let at = from; at < committed; ) {
      const { records, next } = await log.read(topics.trades, partition, at);
      if (records.length === 0) break;
      for (const record of records) if (record.offset < committed) this.#feed(state, record);
      replayed += records.length;
      at = next;
    }
    this.#outputs = [];
    this.#anomalies = [];
    events.restored?.(partition, replayed);
  }
}
