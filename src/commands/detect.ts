/** `tapewatch detect`: scores the trades of its partitions. Any number of them share the work, each trade once. */
import { topicNames } from '../event-log/topics.ts';
import { Metrics } from '../observe/metrics.ts';
import { readSettings } from '../settings.ts';
import { detection } from './detection.ts';
import { serveHealth } from './health.ts';
import { openKafka } from './kafka.ts';
import { type OptionsByName, optionsByKey } from './options.ts';
import { say } from './output.ts';
import { type PolicyOptions, policyOf } from './policy.ts';
import { haveTopics, untilStopped, watchLag } from './role.ts';

const GROUP = 'detect';

export async function runDetect(options: OptionsByName & PolicyOptions): Promise<void> {
  const values = readSettings(optionsByKey(options));
  const policy = policyOf(options);
  const log = await openKafka(values, 'detect');
  const topics = topicNames('');
  const metrics = new Metrics();
  await haveTopics(log, values);
  log.onRetry = () => metrics.transactions.inc({ outcome: 'retried' });
  const service = detection({
    log,
    topics,
    group: GROUP,
    policy,
    instance: values['instance'] as string,
    metrics,
    say,
  });
  const health = await serveHealth(values, metrics, () => (service.isReady ? null : 'State is being restored.'));
  const stop = new AbortController();
  const running = service.run(stop.signal);
  const unwatch = watchLag(log, metrics, GROUP, topics.trades);
  say(`Detecting; health and metrics on ${health.address}. Ctrl-C stops.`);
  await untilStopped([running], async () => {
    unwatch();
    stop.abort();
    await running.catch(() => undefined);
    await health.close();
    await log.close();
  });
}
