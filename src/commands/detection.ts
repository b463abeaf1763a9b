/** Detection with the metrics and words of a process. */
import type { Policy } from '../detection/detector.ts';
import type { EventLog } from '../event-log/event-log.ts';
import type { DetectionTopics } from '../event-log/topics.ts';
import type { Metrics } from '../observe/metrics.ts';
import { DetectionService } from '../pipeline/detection-service.ts';
import type { Policies } from '../pipeline/restore.ts';

export interface DetectionOptions {
  readonly log: EventLog;
  readonly topics: DetectionTopics;
  readonly group: string;
  /** In force until a partition's first activation. */
  readonly policy: Policy;
  readonly policies: Policies;
  /** Beside the active one: what it finds is counted nowhere, since nobody is told. */
  readonly isShadow: boolean;
  /** A name that survives restarts; '' for none. */
  readonly instance: string;
  readonly metrics: Metrics;
  readonly say: (sentence: string) => void;
}

export function detection(options: DetectionOptions): DetectionService {
  const { log, topics, group, policy, policies, isShadow, instance, metrics, say } = options;
  metrics.modelInfo.set({ name: isShadow ? 'shadow' : 'active', version: policy.artefact.id }, 1);
  return new DetectionService({
    log,
    topics,
    group,
    policy,
    policies,
    ...(instance ? { instance } : {}),
    now: Date.now,
    events: {
      batch: (trades, seconds) => {
        metrics.scoredTrades.inc(trades);
        metrics.scoreSeconds.observe(seconds);
        metrics.transactions.inc({ outcome: 'committed' });
      },
      anomaly: ({ symbol, kind, severity, phase, timestamp }) => {
        if (phase === 'close' || isShadow) return;
        metrics.countAnomaly(symbol, kind, severity);
        metrics.alertLatency.observe(Math.max(0, Date.now() - timestamp) / 1000);
      },
      restoring: (partitions) => metrics.restoring.set(partitions),
      restored: (partition, records, seconds) => {
        metrics.restoreSeconds.observe(seconds);
        say(`Partition ${partition} is restored: ${records} records replayed.`);
      },
      rebuilding: (partition, reason) =>
        say(`The state of partition ${partition} is rebuilt from the log, as ${reason}.`),
      aborted: () => metrics.transactions.inc({ outcome: 'aborted' }),
      deadLetter: (reason) => say(`A record was put aside, in the dead letters: ${reason}.`),
    },
  });
}
