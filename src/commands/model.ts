/** `tapewatch model show | import | activate`: the registry of models, and what is in force. */
import { existsSync } from 'node:fs';
import { openEmbeddedLog } from '../event-log/embedded/embedded-log.ts';
import type { EventLog } from '../event-log/event-log.ts';
import { type TopicNames, topicNames, topicSpecs } from '../event-log/topics.ts';
import { TapewatchError } from '../market/error.ts';
import { activate } from '../model/activation.ts';
import { decodeArtefact, loadArtefact, readArtefactText } from '../model/artefact-file.ts';
import { modelCard } from '../model/card.ts';
import { ModelRegistry } from '../model/registry.ts';
import { readSettings, type Values } from '../settings.ts';
import { type ActiveIn, activeIn, nameOf } from './activation.ts';
import { openKafka } from './kafka.ts';
import { type OptionsByName, optionsByKey } from './options.ts';
import { print } from './output.ts';
import { policyOf } from './policy.ts';
import { haveTopics } from './role.ts';

export interface ModelCommand extends OptionsByName {
  readonly name?: string;
  readonly budget?: string;
  readonly closeAfter?: string;
  readonly json?: boolean;
}

interface Opened {
  readonly log: EventLog;
  readonly topics: TopicNames;
  readonly registry: ModelRegistry;
}

/** One model's card, of a file or of the registry; without a reference the registry's list and what is in force. */
export async function runModelShow(reference: string | undefined, options: ModelCommand): Promise<void> {
  if (reference !== undefined && existsSync(reference)) {
    await print(`${modelCard(loadArtefact(reference))}\n`);
    return;
  }
  await withRegistry(options, async ({ log, topics, registry }) => {
    if (reference !== undefined) {
      const id = registry.find(reference);
      await print(`${modelCard(decodeArtefact(await textOf(registry, id), reference))}\n`);
      return;
    }
    const active: (ActiveIn | null)[] = [];
    for (let partition = 0; partition < (await log.partitions(topics.trades)); partition++)
      active.push(await activeIn(log, topics, partition));
    const isActive = (model: string): boolean => active.some((found) => found?.model === model);
    const models = registry.versions.map((version) => ({ ...version, active: isActive(version.model) }));
    if (options.json) {
      await print(`${JSON.stringify({ models, active: registry.active })}\n`);
      return;
    }
    for (const { name, version, model, active: its } of models)
      await print(`${its ? '*' : ' '} ${`${name}@${version}`.padEnd(24)} ${model}\n`);
    const settings = active.find((found) => found !== null)?.settings;
    await print(settings ? `in force: *, with ${JSON.stringify(settings)}\n` : 'Nothing has been activated yet.\n');
  });
}

export async function runModelImport(path: string, options: ModelCommand): Promise<void> {
  const text = readArtefactText(path);
  decodeArtefact(text, path);
  await withRegistry(options, async ({ registry }) => {
    const { name, version, model } = await registry.add(options.name ?? nameOf(path), text);
    await print(
      options.json
        ? `${JSON.stringify({ name, version, model })}\n`
        : `${name}@${version} is ${model}. ${next(name)}\n`,
    );
  });
}

/** Settings that are not given stay as they are. */
export async function runModelActivate(reference: string, options: ModelCommand): Promise<void> {
  await withRegistry(options, async ({ log, topics, registry }) => {
    const model = registry.find(reference);
    decodeArtefact(await textOf(registry, model), reference);
    await registry.prepare([model]);
    const shipped = policyOf({});
    const found = await activeIn(log, topics, 0);
    const before = registry.resolve({ model, settings: found?.settings ?? null }, shipped) ?? shipped;
    const { settings } = policyOf(settingsAsked(options), before);
    const from = await activate(log, topics, { model, settings });
    const since = from === 1 ? 'from the first trade on' : `from ${new Date(from).toISOString()} of event time on`;
    await print(
      options.json
        ? `${JSON.stringify({ model, settings, from })}\n`
        : `${reference} is in force ${since}: ${model}.\n`,
    );
  });
}

function settingsAsked({ budget, closeAfter }: ModelCommand): { budget?: string; closeAfter?: string } {
  return { ...(budget === undefined ? {} : { budget }), ...(closeAfter === undefined ? {} : { closeAfter }) };
}

function next(name: string): string {
  return `"tapewatch model activate ${name}" puts it in force.`;
}

/** @throws TapewatchError `model_invalid`. */
async function textOf(registry: ModelRegistry, id: string): Promise<string> {
  const text = await registry.text(id);
  if (text === null)
    throw new TapewatchError('model_invalid', `The registry's copy of ${id} is damaged: import its file again.`);
  return text;
}

async function withRegistry(options: ModelCommand, work: (opened: Opened) => Promise<void>): Promise<void> {
  const values = readSettings(optionsByKey(options));
  const log = await open(values);
  try {
    const topics = topicNames('');
    const registry = new ModelRegistry(log, topics.models);
    await registry.refresh();
    await work({ log, topics, registry });
  } finally {
    await log.close();
  }
}

async function open(values: Values): Promise<EventLog> {
  if ((values['kafka'] as readonly string[]).length > 0) {
    const log = await openKafka(values, 'model');
    await haveTopics(log, values);
    return log;
  }
  const log = await openEmbeddedLog({ dir: values['data'] as string, now: Date.now });
  const retentionMs = (values['retention'] as number) * 3_600_000;
  await log.ensureTopics(topicSpecs({ prefix: '', partitions: values['partitions'] as number, retentionMs }));
  return log;
}
