/** Makes topics and checks those that are there. */
import { type Admin, ConfigResourceTypes } from '@platformatic/kafka';
import { TapewatchError } from '../../market/error.ts';
import type { TopicSpec } from '../event-log.ts';
import { idsOf, kafkaError } from './errors.ts';

export interface TopicState {
  readonly name: string;
  readonly partitions: number;
  readonly replication: number;
  readonly config: Readonly<Record<string, string>>;
}

/** What `spec` wants and the cluster has not: `fixed` can't be changed on a topic that is there. */
export interface TopicFault {
  readonly topic: string;
  readonly fixed: boolean;
  readonly sentence: string;
}

const SEGMENT_BYTES = 16 << 20;
/** A model is a record of a megabyte; brokers take one by default. */
const MESSAGE_BYTES_MAX = 16 << 20;
const READY_MS = 15_000;
const POLL_MS = 50;

/**
 * Compacted topics are read whole at every restore, so what is outdated must go soon: small segments (the active one is never
 * compacted), and cleaning as soon as a tenth is outdated, at the latest after a minute.
 */
const COMPACTED = {
  'cleanup.policy': 'compact',
  'segment.bytes': String(SEGMENT_BYTES),
  'segment.ms': '60000',
  'min.cleanable.dirty.ratio': '0.1',
  'max.compaction.lag.ms': '60000',
  'delete.retention.ms': '3600000',
};

export function configOf(spec: TopicSpec, replication: number): Record<string, string> {
  const all = {
    'min.insync.replicas': String(replication >= 3 ? 2 : 1),
    'max.message.bytes': String(MESSAGE_BYTES_MAX),
  };
  if (spec.cleanup === 'compact') return { ...COMPACTED, ...all };
  return { 'cleanup.policy': 'delete', 'retention.ms': String(spec.retentionMs ?? -1), ...all };
}

export class Topics {
  readonly #admin: Admin;

  constructor(admin: Admin) {
    this.#admin = admin;
  }

  async brokers(): Promise<number> {
    return (await this.#admin.metadata({ topics: [], forceUpdate: true })).brokers.size;
  }

  async make(spec: TopicSpec, replication: number): Promise<void> {
    const configs = Object.entries(configOf(spec, replication)).map(([name, value]) => ({ name, value }));
    try {
      await this.#admin.createTopics({
        topics: [spec.name],
        partitions: spec.partitions,
        replicas: replication,
        configs,
      });
    } catch (error) {
      // Another process makes the same topics at the same time.
      if (!idsOf(error).has('TOPIC_ALREADY_EXISTS')) throw kafkaError(`Making topic ${spec.name}`, error);
    }
  }

  /** Until every partition has a leader: a topic just made is not known everywhere at once. */
  async led(names: readonly string[]): Promise<void> {
    for (let waited = 0; ; waited += POLL_MS) {
      const found = await this.#admin.metadata({ topics: [...names], forceUpdate: true }).catch((error: unknown) => {
        if (waited > READY_MS) throw kafkaError('Waiting for new topics', error);
        return null;
      });
      const led = (name: string): boolean =>
        (found?.topics.get(name)?.partitions ?? []).every(({ leader }) => leader >= 0) &&
        found?.topics.has(name) === true;
      if (names.every(led)) return;
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
  }

  /** Those of `names` that are there. */
  async state(names: readonly string[]): Promise<ReadonlyMap<string, TopicState>> {
    const there = new Set(await this.#admin.listTopics({ includeInternals: false }));
    const known = names.filter((name) => there.has(name));
    if (known.length === 0) return new Map();
    const { topics } = await this.#admin.metadata({ topics: known, forceUpdate: true });
    const described = await this.#admin.describeConfigs({
      resources: known.map((resourceName) => ({ resourceType: ConfigResourceTypes.TOPIC, resourceName })),
    });
    const states = new Map<string, TopicState>();
    for (const { resourceName: name, configs } of described) {
      const partitions = topics.get(name)!.partitions;
      const config = Object.fromEntries(configs.map(({ name: key, value }) => [key, value ?? '']));
      states.set(name, {
        name,
        partitions: partitions.length,
        replication: partitions[0]?.replicas.length ?? 0,
        config,
      });
    }
    return states;
  }
}

const SAID: Readonly<Record<string, string>> = {
  'retention.ms': 'keeps records (retention.ms) for',
  'min.insync.replicas': 'acknowledges with in-sync replicas (min.insync.replicas) of',
  'max.message.bytes': 'takes batches (max.message.bytes) up to',
  'segment.bytes': 'has segments (segment.bytes) of',
  'segment.ms': 'rolls segments (segment.ms) after',
  'min.cleanable.dirty.ratio': 'is compacted from an outdated share (min.cleanable.dirty.ratio) of',
  'max.compaction.lag.ms': 'is compacted (max.compaction.lag.ms) within',
  'delete.retention.ms': 'keeps tombstones (delete.retention.ms) for',
};

export function faultsOf(spec: TopicSpec, state: TopicState, replication: number): readonly TopicFault[] {
  const faults: TopicFault[] = [];
  const fault = (fixed: boolean, sentence: string): void => {
    faults.push({ topic: spec.name, fixed, sentence });
  };
  if (state.partitions !== spec.partitions)
    fault(
      true,
      `Topic ${spec.name} has ${state.partitions} partitions, wanted are ${spec.partitions}. Partitions are fixed when a topic is made: set --partitions ${state.partitions}, or use another --kafka-prefix.`,
    );
  const wanted = configOf(spec, replication);
  if (state.config['cleanup.policy'] !== spec.cleanup)
    fault(
      true,
      `Topic ${spec.name} is cleaned up by "${state.config['cleanup.policy']}", wanted is "${spec.cleanup}". Set cleanup.policy on the topic, or use another --kafka-prefix.`,
    );
  if (state.replication < replication)
    fault(
      false,
      `Topic ${spec.name} has ${state.replication} replicas, wanted are ${replication}. Add replicas (kafka-reassign-partitions), or set --kafka-replication ${state.replication}.`,
    );
  for (const [key, said] of Object.entries(SAID)) {
    if (wanted[key] !== undefined && state.config[key] !== wanted[key])
      fault(
        false,
        `Topic ${spec.name} ${said} ${state.config[key]}, wanted is ${wanted[key]}. Set it with kafka-configs --alter.`,
      );
  }
  return faults;
}

/** @throws TapewatchError `settings` with all that is fixed and wrong. */
export function refuseFixed(faults: readonly TopicFault[]): void {
  const fixed = faults.filter((fault) => fault.fixed);
  if (fixed.length > 0) throw new TapewatchError('settings', fixed.map(({ sentence }) => sentence).join('\n'));
}
