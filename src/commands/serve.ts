/** `tapewatch serve`: the API over a local copy of anomalies and bars, which goes on where it stopped. Any number of them. */
import { join } from 'node:path';
import { createApp } from '../api/app.ts';
import { openEmbeddedLog } from '../event-log/embedded/embedded-log.ts';
import { MirroredLog } from '../event-log/mirror.ts';
import { topicNames, topicSpecs } from '../event-log/topics.ts';
import { TapewatchError } from '../market/error.ts';
import { ModelRegistry } from '../model/registry.ts';
import { Metrics } from '../observe/metrics.ts';
import { readSettings } from '../settings.ts';
import { Views } from '../views/views.ts';
import { evidencing } from './evidence.ts';
import { openKafka } from './kafka.ts';
import { notifying } from './notify.ts';
import { type OptionsByName, optionsByKey } from './options.ts';
import { say } from './output.ts';
import { pageFolder } from './page.ts';
import { policyOf } from './policy.ts';
import { recomputing } from './recompute.ts';
import { haveTopics, untilStopped } from './role.ts';
import { apiLimits, serving, withoutModel } from './serving.ts';

const RETENTION_MS = 3_600_000;

export async function runServe(options: OptionsByName, version: string): Promise<void> {
  const values = readSettings(optionsByKey(options));
  const tell = notifying(values['notify'] as string);
  const source = await openKafka(values, 'serve');
  const topics = topicNames('');
  await haveTopics(source, values);
  const partitions = await source.partitions(topics.trades);
  const retentionMs = (values['retention'] as number) * 3_600_000;
  const copied = new Set([topics.anomalies, topics.bars]);
  const specs = topicSpecs({ prefix: '', partitions, retentionMs }).filter(({ name }) => copied.has(name));
  const local = await openEmbeddedLog({ dir: join(values['data'] as string, 'serve'), now: Date.now });
  await local.ensureTopics(specs);
  const log = new MirroredLog({ source, local, specs });
  const metrics = new Metrics();
  const views = new Views(log, topics);
  const registry = new ModelRegistry(log, topics.models);
  const models = serving({ log, topics, registry, policy: policyOf({}), views, metrics });
  const app = await createApp({
    views,
    metrics,
    version,
    notReady: () => (log.hasCaughtUp ? withoutModel(models) : 'Anomalies and bars are being copied.'),
    page: await pageFolder(),
    write: { log, topics, token: values['token'] as string },
    evidence: evidencing(log),
    recompute: recomputing(log, () => models.policy),
    models,
    ...apiLimits(values),
  });
  const port = values['port'] as number;
  const address = await app
    .listen({ port, host: values['host'] as string })
    .catch(async (cause: NodeJS.ErrnoException) => {
      await log.close();
      if (cause.code !== 'EADDRINUSE') throw cause;
      throw new TapewatchError('port_in_use', `Port ${port} is in use: choose another with --port.`, { cause });
    });
  const stop = new AbortController();
  const copying = log.run(stop.signal);
  const viewing = views.run(stop.signal);
  const following = models.run(stop.signal);
  // One of all replicas sends: the topic has one partition.
  const telling = tell(source, topics, views, stop.signal);
  const chore = setInterval(() => void local.applyRetention().catch(() => undefined), RETENTION_MS);
  say(`Serving on ${address}, documented at ${address}/docs. Ctrl-C stops.`);
  await untilStopped([copying, viewing, following, telling], async () => {
    clearInterval(chore);
    stop.abort();
    await Promise.allSettled([copying, viewing, following, telling]);
    await app.close();
    await log.close();
  });
}
