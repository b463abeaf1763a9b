/** What the roles have in common: the log with its topics, lag, and a run that ends in order. */
import type { EventLog } from '../event-log/event-log.ts';
import type { KafkaLog } from '../event-log/kafka/kafka-log.ts';
import { topicNames, topicSpecs } from '../event-log/topics.ts';
import { TapewatchError } from '../market/error.ts';
import type { Metrics } from '../observe/metrics.ts';
import type { Values } from '../settings.ts';
import { processClock } from '../transport/network.ts';
import { say } from './output.ts';

const LAG_MS = 5000;
const STOP_MS = 15_000;

/** Makes what is missing. Topics that are there say how many partitions there are, unless `--partitions` was meant otherwise. */
export async function haveTopics(log: EventLog, values: Values): Promise<void> {
  const there = await log.partitions(topicNames('').trades).catch((error: unknown) => {
    if (error instanceof TapewatchError && error.code === 'not_found') return null;
    throw error;
  });
  const partitions = there ?? (values['partitions'] as number);
  const retentionMs = (values['retention'] as number) * 3_600_000;
  await log.ensureTopics(topicSpecs({ prefix: '', partitions, retentionMs }));
}

/** Reads now and then from the brokers how far `group` is behind; returns what ends it. */
export function watchLag(log: KafkaLog, metrics: Metrics, group: string, topic: string): () => void {
  const timer = setInterval(() => {
    void log.lag(group, topic).then(
      (lags) => {
        for (const { partition, lag } of lags) metrics.lag.set({ group, topic, partition: String(partition) }, lag);
      },
      // Brokers are away: the last known lag stands.
      () => undefined,
    );
  }, LAG_MS);
  return () => clearInterval(timer);
}

/** Waits for Ctrl-C, SIGTERM or a failure of one of `running`, then `stop`s. */
export async function untilStopped(running: readonly Promise<void>[], stop: () => Promise<void>): Promise<void> {
  const failed = Promise.withResolvers<never>();
  for (const each of running) each.catch(failed.reject);
  try {
    await Promise.race([interrupted(), failed.promise]);
  } finally {
    const late = await Promise.race([stop().then(() => false), processClock.sleep(STOP_MS).then(() => true)]);
    if (late) say(`Something did not end within ${STOP_MS / 1000} s; the log is in order all the same.`);
    // A client may still hold a timer.
    setTimeout(() => process.exit(), 500).unref();
  }
}

function interrupted(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
  });
}
