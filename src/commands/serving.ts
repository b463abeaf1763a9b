/** What the commands that serve the API have in common: its limits, and the models with event time and metrics. */
import type { AppOptions } from '../api/app.ts';
import type { Policy } from '../detection/detector.ts';
import type { EventLog } from '../event-log/event-log.ts';
import type { TopicNames } from '../event-log/topics.ts';
import type { ModelRegistry } from '../model/registry.ts';
import { ServedModels } from '../model/served-models.ts';
import type { Metrics } from '../observe/metrics.ts';
import type { Values } from '../settings.ts';
import type { Views } from '../views/views.ts';
import { say } from './output.ts';

export interface Serving {
  readonly log: EventLog;
  readonly topics: TopicNames;
  readonly registry: ModelRegistry;
  readonly policy: Policy;
  readonly views: Views;
  readonly metrics: Metrics;
}

export function serving({ views, metrics, ...options }: Serving): ServedModels {
  return new ServedModels({
    ...options,
    eventTime: () => views.symbols().reduce((newest, { timestamp }) => Math.max(newest, timestamp), 0),
    onPolicy: ({ artefact }) => {
      metrics.modelInfo.reset();
      metrics.modelInfo.set({ name: 'active', version: artefact.id }, 1);
    },
  });
}

/** Why it may not score yet, null where it may: until then the model in force is the shipped one, whatever was activated. */
export function withoutModel({ isSettled }: ServedModels): string | null {
  return isSettled ? null : 'The model in force is being looked up.';
}

export function apiLimits(values: Values): Pick<AppOptions, 'rateLimit' | 'origins' | 'failed'> {
  return {
    rateLimit: values['rate-limit'] as number,
    origins: values['cors-origins'] as readonly string[],
    failed: (error, requestId) => say(`Request ${requestId} failed: ${(error as Error).stack ?? String(error)}`),
  };
}
