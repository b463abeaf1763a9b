/** Everything in one process, on the embedded log or over Kafka: what `start` and `demo` share. */

import { createApp } from '../api/app.ts';
import type { Capture } from '../capture/capture.ts';
import { openEmbeddedLog } from '../event-log/embedded/embedded-log.ts';
import { topicNames, topicSpecs } from '../event-log/topics.ts';
import { TapewatchError } from '../market/error.ts';
import { Metrics } from '../observe/metrics.ts';
import { DetectionService } from '../pipeline/detection-service.ts';
import type { Values } from '../settings.ts';
import { createNetworkTransport, processClock } from '../transport/network.ts';
import { Views } from '../views/views.ts';
import { putInForce } from './activation.ts';
import { evidencing } from './evidence.ts';
import { openKafka } from './kafka.ts';
import { capture as startingCapture } from './live-capture.ts';
import { timeOfDay, trainNightly } from './nightly.ts';
import { notifying } from './notify.ts';
import { say } from './output.ts';
import { pageFolder } from './page.ts';
import { type PolicyOptions, policyOf } from './policy.ts';
import { recomputing } from './recompute.ts';
import { haveTopics } from './role.ts';
import { Screen } from './screen.ts';
import { apiLimits, serving, withoutModel } from './serving.ts';

export interface LiveOptions {
  readonly values: Values;
  /** Model and detection settings asked for. */
  readonly policy: PolicyOptions;
  readonly wsEndpoints: readonly string[];
  readonly restEndpoints: readonly string[];
  readonly symbols: readonly string[];
  readonly json: boolean;
  readonly version: string;
  /** What to say where the exchange can't be reached. */
  readonly hint: string;
}

const GROUP = 'detect';
const LAG_MS = 2000;
const RETENTION_MS = 3_600_000;
const UNHANDLED_GRACE_MS = 500;
const SHUT_DOWN_MS = 3000;

/** Runs until Ctrl-C; resolves when all that was read is in the log. */
export async function runLive(options: LiveOptions): Promise<void> {
  const { values } = options;
  // What is wrong with a model or a setting is said before anything is opened.
  policyOf(options.policy);
  const trainAt = values['train-at'] as string;
  if (trainAt !== '') timeOfDay(trainAt);
  const sinks = notifying(values['notify'] as string);
  const embedded =
    (values['kafka'] as readonly string[]).length > 0
      ? null
      : await openEmbeddedLog({ dir: values['data'] as string, now: Date.now });
  const log = embedded ?? (await openKafka(values, 'start'));
  const topics = topicNames('');
  const retentionMs = (values['retention'] as number) * 3_600_000;
  if (embedded)
    await log.ensureTopics(topicSpecs({ prefix: '', partitions: values['partitions'] as number, retentionMs }));
  else await haveTopics(log, values);
  const partitions = await log.partitions(topics.trades);
  const { policy, registry } = await putInForce(log, topics, options.policy);
  const metrics = new Metrics();
  const views = new Views(log, topics);
  const models = serving({ log, topics, registry, policy, views, metrics });
  const stop = new AbortController();
  const service = new DetectionService({
    log,
    topics,
    group: GROUP,
    policy: policyOf({}),
    policies: registry,
    now: Date.now,
    events: {
      restoring: (partitions) => metrics.restoring.set(partitions),
      restored: (_partition, _records, seconds) => metrics.restoreSeconds.observe(seconds),
      rebuilding: (partition, reason) =>
        say(`The state of partition ${partition} is rebuilt from the log, as ${reason}.`),
      deadLetter: (reason) => say(`A record was put aside, in the dead letters: ${reason}.`),
      batch: (trades, seconds) => {
        metrics.scoredTrades.inc(trades);
        metrics.scoreSeconds.observe(seconds);
        metrics.transactions.inc({ outcome: 'committed' });
      },
      anomaly: ({ symbol, kind, severity, phase, timestamp }) => {
        if (phase === 'close') return;
        metrics.countAnomaly(symbol, kind, severity);
        metrics.alertLatency.observe(Math.max(0, Date.now() - timestamp) / 1000);
      },
    },
  });
  const app = await createApp({
    views,
    metrics,
    version: options.version,
    page: await pageFolder(),
    write: { log, topics, token: values['token'] as string },
    evidence: evidencing(log),
    recompute: recomputing(log, () => models.policy),
    models,
    ...apiLimits(values),
    notReady: () => (service.isReady ? withoutModel(models) : 'State is being restored.'),
  });
  const address = await app
    .listen({ port: values['port'] as number, host: values['host'] as string })
    .catch(async (cause: NodeJS.ErrnoException) => {
      await log.close();
      if (cause.code === 'EADDRINUSE')
        throw new TapewatchError('port_in_use', `Port ${values['port']} is in use: choose another with --port.`, {
          cause,
        });
      throw cause;
    });
  const failed = Promise.withResolvers<never>();
  const running = service.run(stop.signal);
  const viewing = views.run(stop.signal);
  const following = models.run(stop.signal);
  const telling = sinks(log, topics, views, stop.signal);
  const nightly = { log, topics, registry, settings: policy.settings, signal: stop.signal };
  const training = trainAt === '' ? Promise.resolve() : trainNightly(nightly, trainAt, processClock, say);
  // When the disk is full lmdb also rejects promises that nobody holds. The log's own error says more, so it goes first.
  process.on('unhandledRejection', (error) => setTimeout(() => failed.reject(error), UNHANDLED_GRACE_MS).unref());
  running.catch(failed.reject);
  viewing.catch(failed.reject);
  following.catch(failed.reject);
  telling.catch(failed.reject);
  const transport = createNetworkTransport();
  const screen = new Screen({ views, json: options.json, address });
  let capture: Capture | null = null;
  try {
    capture = await startingCapture({ ...options, log, topics, transport, metrics, screen, fail: failed.reject });
    say(
      `Watching ${options.symbols.length} symbols on ${address}; the API is documented at ${address}/docs. Ctrl-C stops.`,
    );
    screen.start();
    const chores = [
      setInterval(() => void setLag().catch(() => undefined), LAG_MS),
      setInterval(() => void embedded?.applyRetention().catch(() => undefined), RETENTION_MS),
    ];
    await Promise.race([interrupted(), failed.promise]).finally(() => chores.forEach(clearInterval));
  } finally {
    screen.stop();
    // A log that can't write may not even close: what it acknowledged is on disk all the same.
    const patience = new AbortController();
    const enough = processClock.sleep(SHUT_DOWN_MS, patience.signal).catch(() => undefined);
    await Promise.race([shutDown(), enough]).finally(() => patience.abort());
  }

  async function shutDown(): Promise<void> {
    await capture?.stop();
    stop.abort();
    await Promise.allSettled([running, viewing, following, telling, training]);
    await app.close();
    await transport.close();
    await log.close();
  }

  async function setLag(): Promise<void> {
    for (let partition = 0; partition < partitions; partition++) {
      const { end } = await log.bounds(topics.trades, partition);
      const committed = (await log.committed(GROUP, topics.trades, partition)) ?? 0;
      metrics.lag.set(
        { group: GROUP, topic: topics.trades, partition: String(partition) },
        Math.max(0, end - committed),
      );
    }
  }
}

function interrupted(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
  });
}
