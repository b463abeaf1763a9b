/** The models that a process serves, with its views' event time and its metrics. */
import type { Policy } from '../detection/detector.ts';
import type { EventLog } from '../event-log/event-log.ts';
import type { TopicNames } from '../event-log/topics.ts';
import type { ModelRegistry } from '../model/registry.ts';
import { ServedModels } from '../model/served-models.ts';
import type { Metrics } from '../observe/metrics.ts';
import type { Views } from '../views/views.ts';

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
