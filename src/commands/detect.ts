/** `tapewatch detect`: scores the trades of its partitions. Any number of them share the work, each trade once. */
import type { EventLog } from '../event-log/event-log.ts';
import { topicNames } from '../event-log/topics.ts';
import { TapewatchError } from '../market/error.ts';
import { Metrics } from '../observe/metrics.ts';
import { readSettings } from '../settings.ts';
import { keepInForce } from './activation.ts';
import { type DetectionOptions, detection } from './detection.ts';
import { serveHealth } from './health.ts';
import { openKafka } from './kafka.ts';
import { type OptionsByName, optionsByKey } from './options.ts';
import { say } from './output.ts';
import { type PolicyOptions, policyOf } from './policy.ts';
import { haveTopics, untilStopped, watchLag } from './role.ts';
import { shadowOf } from './shadow.ts';

const GROUP = 'detect';

export interface DetectCommand extends OptionsByName, PolicyOptions {
  readonly shadow?: string;
}

export async function runDetect(options: DetectCommand): Promise<void> {
  const values = readSettings(optionsByKey(options));
  if (options.shadow !== undefined && options.model !== undefined)
    throw new TapewatchError('usage', 'Give either --shadow, to run a model beside the active one, or --model.');
  // What is wrong with a model or a setting is said before anything is opened.
  policyOf(options);
  const log = await openKafka(values, 'detect');
  const metrics = new Metrics();
  await haveTopics(log, values);
  log.onRetry = () => metrics.transactions.inc({ outcome: 'retried' });
  const role = options.shadow === undefined ? await active(log, options) : await shadow(log, options.shadow, options);
  const instance = values['instance'] as string;
  const service = detection({ ...role, log, instance, metrics, say });
  const health = await serveHealth(values, metrics, () => (service.isReady ? null : 'State is being restored.'));
  const stop = new AbortController();
  const running = service.run(stop.signal);
  const unwatch = watchLag(log, metrics, role.group, role.topics.trades);
  say(`Detecting; health and metrics on ${health.address}. Ctrl-C stops.`);
  await untilStopped([running], async () => {
    unwatch();
    stop.abort();
    await running.catch(() => undefined);
    await health.close();
    await log.close();
  });
}

type Role = Pick<DetectionOptions, 'topics' | 'group' | 'policy' | 'policies' | 'isShadow'>;

async function active(log: EventLog, options: DetectCommand): Promise<Role> {
  const topics = topicNames('');
  const { registry } = await keepInForce(log, topics, options);
  return { topics, group: GROUP, policy: policyOf(options), policies: registry, isShadow: false };
}

async function shadow(log: EventLog, reference: string, options: DetectCommand): Promise<Role> {
  const { name, group, topics, policy, policies } = await shadowOf(log, reference, options);
  say(
    `In the shadow: ${policy.artefact.id} says what it finds on ${topics.anomalies} alone; "tapewatch compare ${name}" shows the difference.`,
  );
  return { topics, group, policy, policies, isShadow: true };
}
