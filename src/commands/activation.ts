/** What `start` puts in force: its options where they differ from what the log's partitions have active. */
import { basename } from 'node:path';
import type { Policy } from '../detection/detector.ts';
import type { EventLog } from '../event-log/event-log.ts';
import type { TopicNames } from '../event-log/topics.ts';
import { decodeTapeRecord } from '../market/codec.ts';
import { TapewatchError } from '../market/error.ts';
import type { Activate, DetectionSettings } from '../market/records.ts';
import { activate } from '../model/activation.ts';
import { DEFAULT_MODEL, readArtefactText } from '../model/artefact-file.ts';
import { ModelRegistry } from '../model/registry.ts';
import { decodePartition } from '../pipeline/snapshot.ts';
import { type PolicyOptions, policyOf } from './policy.ts';

export interface InForce {
  readonly policy: Policy;
  readonly registry: ModelRegistry;
}

export interface ActiveIn {
  readonly model: string;
  readonly settings: DetectionSettings;
}

/** Registers the model, and writes an activation unless every partition has this policy active already. */
export async function putInForce(log: EventLog, topics: TopicNames, options: PolicyOptions): Promise<InForce> {
  const registry = new ModelRegistry(log, topics.models);
  await registry.refresh();
  const { active: last } = registry;
  const active: (Policy | null)[] = [];
  const shipped = policyOf({});
  for (let partition = 0; partition < (await log.partitions(topics.trades)); partition++) {
    const found = await activeIn(log, topics, partition);
    if (found) await registry.prepare([found.model]);
    active.push(found && registry.resolve(found, shipped));
  }
  const before = active.find((policy) => policy !== null) ?? undefined;
  const policy = policyOf(options, before);
  if (options.model !== undefined || policy.artefact.id === shipped.artefact.id) {
    const path = options.model ?? DEFAULT_MODEL;
    await registry.add(nameOf(path), readArtefactText(path));
  }
  if (active.every((other) => isSame(other, policy))) return { policy, registry };
  await registry.refresh();
  // Who has activated something while the tapes were read knew better than what was there before.
  if (registry.active !== last) return putInForce(log, topics, options);
  await activate(log, topics, { model: policy.artefact.id, settings: policy.settings });
  return { policy, registry };
}

/**
 * The same for one process of many, which restarts often: where the last activation asked for just this, no tape is read.
 * Every option that is given counts at each start; what was activated since then goes on where none is.
 */
export async function keepInForce(log: EventLog, topics: TopicNames, options: PolicyOptions): Promise<InForce> {
  const registry = new ModelRegistry(log, topics.models);
  const before = await lastActivated(registry);
  const policy = before && policyOf(options, before);
  return policy && isSame(before, policy) ? { policy, registry } : putInForce(log, topics, options);
}

/** What the last activation asked for, null where none was written or its model is of another version. */
export async function lastActivated(registry: ModelRegistry): Promise<Policy | null> {
  await registry.refresh();
  const { active } = registry;
  if (!active) return null;
  await registry.prepare([active.model]);
  return registry.resolve(active, policyOf({}));
}

function isSame(one: Policy | null, other: Policy): boolean {
  return one !== null && one.artefact.id === other.artefact.id && one.settingsId === other.settingsId;
}

/** The partition's last activation, whether or not its symbols have come to it; null where it has none. */
export async function activeIn(log: EventLog, topics: TopicNames, partition: number): Promise<ActiveIn | null> {
  let last: ActiveIn | null = null;
  let { first: from } = await log.bounds(topics.trades, partition);
  for await (const { key, value } of log.latest(topics.detectorState, partition)) {
    const head = key === `partition:${partition}` && value ? orNull(() => decodePartition(value)) : null;
    if (!head) continue;
    last = head.activations.at(-1) ?? null;
    from = Math.max(from, head.offset);
  }
  for (;;) {
    const { records, next } = await log.read(topics.trades, partition, from);
    if (records.length === 0) return last;
    for (const { value } of records) {
      const record = value ? activationIn(value) : null;
      const model: string | null = record?.model ?? last?.model ?? null;
      const settings: DetectionSettings | null = record?.settings ?? last?.settings ?? null;
      if (record && model && settings) last = { model, settings };
    }
    from = next;
  }
}

function activationIn(value: Uint8Array): Activate | null {
  // Few records are activations: the others need not be decoded.
  if (!Buffer.from(value.buffer, value.byteOffset, value.byteLength).includes('"activate"')) return null;
  const record = orNull(() => decodeTapeRecord(value));
  return record && 'type' in record && record.type === 'activate' ? record : null;
}

function orNull<T>(decode: () => T): T | null {
  try {
    return decode();
  } catch (error) {
    if (error instanceof TapewatchError) return null;
    throw error;
  }
}

/** `models/default.json` is called default. */
export function nameOf(path: string): string {
  const plain = basename(path)
    .replace(/\.[^.]*$/, '')
    .toLowerCase()
    .replace(/[^a-z0-9._-]+/g, '-');
  return /^[a-z]/.test(plain) && plain !== 'active' ? plain.slice(0, 64) : `model-${plain}`.slice(0, 64);
}
