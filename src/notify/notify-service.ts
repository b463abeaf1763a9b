/**
 * Tells one sink, from a durable cursor of its own: a consumer group on `anomalies` whose offset is committed once a
 * message is delivered. A restart repeats at most the message in flight, under the same key, and loses none.
 */
import type { EventLog, GroupMember, LogRecord } from '../event-log/event-log.ts';
import type { TopicNames } from '../event-log/topics.ts';
import { TapewatchError } from '../market/error.ts';
import { type Anomaly, incidentOf } from '../market/records.ts';
import type { Sink } from './config.ts';
import { wants } from './rules.ts';

/** The part of transport's Clock that is needed here. */
export interface NotifyClock {
  now(): number;
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  random(): number;
}

export interface NotifyOptions {
  readonly log: EventLog;
  readonly topics: TopicNames;
  readonly sink: Sink;
  readonly page: string | null;
  /** A small PNG of the minutes before an alert; null where there is none. */
  readonly picture?: (anomaly: Anomaly) => Promise<Uint8Array | null>;
  readonly clock: NotifyClock;
  readonly events: {
    delivered?(sink: string, anomaly: Anomaly): void;
    /** Once when it begins to fail, and again when what it says changes. */
    failing?(sink: string, reason: string): void;
    recovered?(sink: string): void;
    /** The service will not take this message: it is put aside, in the dead letters. */
    refused?(sink: string, anomaly: Anomaly, reason: string): void;
  };
}

const LATE_MS = 60_000;
const FIRST_WAIT_MS = 1000;
const WAIT_MS_MAX = 300_000;
/** Records before the cursor that are read again, to know which open incidents this sink was told of. */
const LOOK_BACK = 5000;
const INCIDENTS_MAX = 5000;

export class NotifyService {
  readonly #options: NotifyOptions;
  /** Incidents told of and not yet over. */
  readonly #told = new Set<string>();
  #lastSentAt = Number.NEGATIVE_INFINITY;
  #failing = '';

  constructor(options: NotifyOptions) {
    this.#options = options;
  }

  get group(): string {
    return `notify.${this.#options.sink.name}`;
  }

  /** Runs until the signal fires. A group without a cursor begins with what comes from now on. */
  async run(signal: AbortSignal): Promise<void> {
    const { log, topics } = this.#options;
    const member = await log.join({ group: this.group, topic: topics.anomalies });
    try {
      for (;;) {
        const event = await member.next(signal);
        if (event.kind === 'assigned')
          for (const { partition, committed } of event.partitions) await this.#begin(member, partition, committed);
        else if (event.kind === 'batch') {
          try {
            for (const record of event.records) await this.#take(member, record, signal);
            await this.#commit(member, event.partition, event.next);
          } catch (error) {
            // Another member has the partition now and goes on from the last commit.
            if (!(error instanceof TapewatchError && error.code === 'fenced')) throw error;
          }
        }
      }
    } catch (error) {
      if (!(error instanceof TapewatchError && error.code === 'aborted')) throw error;
    } finally {
      await member.leave();
    }
  }

  async #begin(member: GroupMember, partition: number, committed: number | null): Promise<void> {
    const { log, topics } = this.#options;
    if (committed === null) {
      const { end } = await log.bounds(topics.anomalies, partition);
      member.seek(partition, end);
      await this.#commit(member, partition, end);
      return;
    }
    const { first } = await log.bounds(topics.anomalies, partition);
    for (let from = Math.max(first, committed - LOOK_BACK); from < committed; ) {
      const { records, next } = await log.read(topics.anomalies, partition, from);
      if (records.length === 0) break;
      for (const { offset, value } of records) {
        const anomaly = decoded(value);
        if (offset < committed && anomaly) this.#remember(anomaly, wants(this.#options.sink.rules, anomaly));
      }
      from = next;
    }
  }

  async #take(member: GroupMember, record: LogRecord, signal: AbortSignal): Promise<void> {
    const anomaly = decoded(record.value);
    if (!anomaly) return;
    const isWanted = this.#isWanted(anomaly);
    if (isWanted && (await this.#deliver(anomaly, signal)) === 'refused') await this.#putAside(member, record);
    else if (isWanted) await this.#commit(member, record.partition, record.offset + 1);
    this.#remember(anomaly, isWanted);
  }

  /** The end of an incident is told to whom its beginning was. */
  #isWanted(anomaly: Anomaly): boolean {
    if (anomaly.phase === 'close') return this.#told.has(incidentOf(anomaly.id));
    return wants(this.#options.sink.rules, anomaly);
  }

  #remember(anomaly: Anomaly, isTold: boolean): void {
    const incident = incidentOf(anomaly.id);
    if (anomaly.phase === 'close') this.#told.delete(incident);
    else if (isTold) this.#told.add(incident);
    for (const oldest of this.#told) {
      if (this.#told.size <= INCIDENTS_MAX) break;
      this.#told.delete(oldest);
    }
  }

  /** Tries until it is delivered or refused, at the service's pace. */
  async #deliver(anomaly: Anomaly, signal: AbortSignal): Promise<'delivered' | 'refused'> {
    const { sink, clock, page, events } = this.#options;
    const picture = anomaly.phase === 'close' ? null : ((await this.#options.picture?.(anomaly)) ?? null);
    for (let tries = 0; ; tries++) {
      await clock.sleep(Math.max(0, this.#lastSentAt + sink.notifier.pauseMs - clock.now()), signal);
      const sentAt = clock.now();
      this.#lastSentAt = sentAt;
      const isLate = sentAt - anomaly.timestamp > LATE_MS;
      const link = page === null ? null : `${page}/#/anomaly/${encodeURIComponent(anomaly.id)}`;
      const delivery = await sink.notifier.send({ key: anomaly.id, anomaly, isLate, link, picture, sentAt }, signal);
      if (delivery.outcome !== 'later') {
        if (this.#failing !== '') events.recovered?.(sink.name);
        this.#failing = '';
      }
      if (delivery.outcome === 'delivered') {
        events.delivered?.(sink.name, anomaly);
        return 'delivered';
      }
      if (delivery.outcome === 'refused') {
        events.refused?.(sink.name, anomaly, delivery.reason);
        return 'refused';
      }
      if (delivery.reason !== this.#failing) events.failing?.(sink.name, delivery.reason);
      this.#failing = delivery.reason;
      const wait = Math.min(WAIT_MS_MAX, FIRST_WAIT_MS * 2 ** tries) * (0.75 + clock.random() / 2);
      await clock.sleep(delivery.afterMs ?? wait, signal);
    }
  }

  async #putAside(member: GroupMember, { topic, partition, offset, key, value }: LogRecord): Promise<void> {
    const reason = `${this.group} was refused it`;
    const letter = { reason, topic, partition, offset, value: Buffer.from(value ?? []).toString('base64') };
    await member.commit(
      [{ topic: this.#options.topics.deadLetters, key, value: Buffer.from(JSON.stringify(letter)) }],
      [{ topic, partition, offset: offset + 1 }],
    );
  }

  async #commit(member: GroupMember, partition: number, offset: number): Promise<void> {
    await member.commit([], [{ topic: this.#options.topics.anomalies, partition, offset }]);
  }
}

function decoded(value: Uint8Array | null): Anomaly | null {
  if (!value) return null;
  try {
    return JSON.parse(Buffer.from(value).toString()) as Anomaly;
  } catch {
    // A record that can't be read was not written by a detector: nobody is told of it.
    return null;
  }
}
