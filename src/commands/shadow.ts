/** A detector beside the active one: its model and name, and topics in which nothing of another model may stand. */
import { existsSync } from 'node:fs';
import type { Policy } from '../detection/detector.ts';
import type { EventLog } from '../event-log/event-log.ts';
import { type DetectionTopics, shadowSpecs, shadowTopics, topicNames } from '../event-log/topics.ts';
import { TapewatchError } from '../market/error.ts';
import { readArtefactText, settingsId } from '../model/artefact-file.ts';
import { ModelRegistry, resolvePolicy } from '../model/registry.ts';
import type { Policies } from '../pipeline/restore.ts';
import { decodeHead, type SnapshotHead } from '../pipeline/snapshot.ts';
import { nameOf } from './activation.ts';
import { type PolicyOptions, policyOf } from './policy.ts';

export interface Shadow {
  readonly name: string;
  readonly group: string;
  readonly topics: DetectionTopics;
  readonly policy: Policy;
  /** Its own model always; settings as the tape's activations say, except those given as options. */
  readonly policies: Policies;
}

/**
 * `reference`: a file, which becomes a model of the registry, or a model of the registry (NAME, NAME@VERSION, sha256:…).
 * @throws TapewatchError `not_found`, `model_invalid`, or `settings` where the name has run another model before
 */
export async function shadowOf(log: EventLog, reference: string, options: PolicyOptions): Promise<Shadow> {
  const { trades, models } = topicNames('');
  const registry = new ModelRegistry(log, models);
  await registry.refresh();
  const isFile = existsSync(reference);
  const model = isFile
    ? (await registry.add(nameOf(reference), readArtefactText(reference))).model
    : registry.find(reference);
  await registry.prepare([model]);
  const artefact = registry.artefact(model);
  if (!artefact)
    throw new TapewatchError('model_invalid', `${reference} is a model of another version: train or import it anew.`);
  const name = shadowName(isFile ? nameOf(reference) : reference);
  const policy = { ...policyOf(options), artefact };
  const resolve: Policies['resolve'] = ({ settings }, before) => {
    const its = resolvePolicy({ model: null, settings }, { ...before, artefact }, () => null);
    return its && policyOf(options, its);
  };
  const topics = shadowTopics(name);
  await log.ensureTopics(shadowSpecs(name, await log.partitions(trades)));
  await refuseAnother(log, topics, name, policy, options);
  return { name, group: shadowGroup(name), topics, policy, policies: { prepare: () => Promise.resolve(), resolve } };
}

export function shadowGroup(name: string): string {
  return `detect.${name}`;
}

/** As it stands in the names of topics: `nightly@3` is nightly-3, a digest its first twelve digits. */
export function shadowName(reference: string): string {
  const digest = /^sha256:([0-9a-f]{12})/.exec(reference)?.[1];
  return digest ?? reference.replace(/[^a-zA-Z0-9._-]/g, '-').slice(0, 100);
}

/** Another model under a name in use would go on from the first one's state, and mix what they say. */
async function refuseAnother(
  log: EventLog,
  { detectorState }: DetectionTopics,
  name: string,
  policy: Policy,
  options: PolicyOptions,
): Promise<void> {
  for (let partition = 0; partition < (await log.partitions(detectorState)); partition++) {
    for await (const { key, value } of log.latest(detectorState, partition)) {
      if (key === null || value === null || key.startsWith('partition:')) continue;
      const { model, settings } = decodeHead<SnapshotHead>(value).head;
      if (model !== policy.artefact.id)
        throw refused(
          `The shadow ${name} has run the model ${model}, and ${name} is now ${policy.artefact.id}. Give the version (--shadow NAME@VERSION) or a file of another name, so that it has topics of its own.`,
        );
      if (policyOf(options, { ...policy, settings, settingsId: '' }).settingsId !== settingsId(settings))
        throw refused(
          `The shadow ${name} has run with other settings: ${JSON.stringify(settings)}. Give the same, or a model of another name.`,
        );
      return;
    }
  }
}

function refused(sentence: string): TapewatchError {
  return new TapewatchError('settings', sentence);
}
