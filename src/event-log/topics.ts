/** The topics of Tapewatch (DESIGN: records). A prefix lets several installations share a cluster. */
import type { TopicSpec } from './event-log.ts';

export interface TopicNames {
  readonly trades: string;
  readonly bars: string;
  readonly anomalies: string;
  readonly detectorState: string;
  readonly evidence: string;
  readonly models: string;
  readonly annotations: string;
  readonly deadLetters: string;
}

/** What one detector reads and writes; null: it does not write that. */
export type DetectionTopics = Pick<TopicNames, 'trades' | 'anomalies' | 'detectorState'> & {
  readonly [Topic in 'bars' | 'evidence' | 'deadLetters']: string | null;
};

export interface TopicOptions {
  readonly prefix: string;
  readonly partitions: number;
  /** Age limit of trades, bars and dead letters, ms. */
  readonly retentionMs: number | null;
}

export function topicNames(prefix: string): TopicNames {
  return {
    trades: `${prefix}trades`,
    bars: `${prefix}bars`,
    anomalies: `${prefix}anomalies`,
    detectorState: `${prefix}detector-state`,
    evidence: `${prefix}evidence`,
    models: `${prefix}models`,
    annotations: `${prefix}annotations`,
    deadLetters: `${prefix}dead-letters`,
  };
}

export function topicSpecs({ prefix, partitions, retentionMs }: TopicOptions): readonly TopicSpec[] {
  const names = topicNames(prefix);
  const aged = { cleanup: 'delete', retentionMs } as const;
  const kept = { cleanup: 'delete', retentionMs: null } as const;
  const compacted = { cleanup: 'compact', retentionMs: null } as const;
  return [
    { name: names.trades, partitions, ...aged },
    { name: names.bars, partitions, ...aged },
    { name: names.anomalies, partitions: 1, ...kept },
    { name: names.detectorState, partitions, ...compacted },
    { name: names.evidence, partitions, ...kept },
    { name: names.models, partitions: 1, ...compacted },
    { name: names.annotations, partitions: 1, ...compacted },
    { name: names.deadLetters, partitions: 1, ...aged },
  ];
}

/** A detector beside the active one writes its anomalies and state alone, to topics of its own. */
export function shadowTopics(name: string): DetectionTopics {
  const { trades, anomalies, detectorState } = topicNames('');
  return {
    trades,
    anomalies: `${anomalies}.${name}`,
    detectorState: `${detectorState}.${name}`,
    bars: null,
    evidence: null,
    deadLetters: null,
  };
}

export function shadowSpecs(name: string, partitions: number): readonly TopicSpec[] {
  const { anomalies, detectorState } = shadowTopics(name);
  return [
    { name: anomalies, partitions: 1, cleanup: 'delete', retentionMs: null },
    { name: detectorState, partitions, cleanup: 'compact', retentionMs: null },
  ];
}
