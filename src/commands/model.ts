/** `tapewatch model show | import | activate`: the registry of models, and what is in force. */
import { existsSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { IsolationForest } from '../detection/forest/index.ts';
import { FEATURES } from '../detection/surprise/vector.ts';
import { openEmbeddedLog } from '../event-log/embedded/embedded-log.ts';
import type { EventLog } from '../event-log/event-log.ts';
import { type TopicNames, topicNames, topicSpecs } from '../event-log/topics.ts';
import { TapewatchError } from '../market/error.ts';
import type { TapeRecord } from '../market/records.ts';
import { activate } from '../model/activation.ts';
import { decodeArtefact, encodeArtefact, loadArtefact } from '../model/artefact-file.ts';
import { modelCard } from '../model/card.ts';
import { modelInfo } from '../model/model-info.ts';
import { type ActivePointer, ModelRegistry, type ModelVersion } from '../model/registry.ts';
import { decodeModel, modelFromOnnx } from '../model/scoring-model.ts';
import { train } from '../model/train.ts';
import { readSettings, type Values } from '../settings.ts';
import { type ActiveIn, activeIn, nameOf } from './activation.ts';
import { openKafka } from './kafka.ts';
import { activateOn, putModel, showServed } from './model-server.ts';
import { type OptionsByName, optionsByKey } from './options.ts';
import { print } from './output.ts';
import { policyOf } from './policy.ts';
import { haveTopics } from './role.ts';
import { oneAfterTheOther, openTapes } from './tapes.ts';

export interface ModelCommand extends OptionsByName {
  readonly name?: string;
  readonly budget?: string;
  readonly closeAfter?: string;
  readonly json?: boolean;
  /** A running server, instead of a log. */
  readonly server?: string;
  /** Columns of an ONNX model, with commas between. */
  readonly features?: string;
  /** Tapes to count the tails of an ONNX model by, which makes it a detector's. */
  readonly tape?: readonly string[];
}

const OPENING_BRACE = 123;

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
  if (options.server !== undefined) {
    await showServed(options.server, reference, options.json ?? false);
    return;
  }
  await withRegistry(options, async ({ log, topics, registry }) => {
    if (reference !== undefined) {
      const id = registry.find(reference);
      const model = decodeModel(await textOf(registry, id), reference);
      const card =
        model.kind === 'detector'
          ? modelCard(model.artefact)
          : JSON.stringify({ model: id, ...modelInfo(model) }, null, 2);
      await print(`${card}\n`);
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

/** A file of `train`, or an ONNX Isolation Forest: to score rows with, or with `--tape` the detector's own forest. */
export async function runModelImport(path: string, options: ModelCommand): Promise<void> {
  const text = await modelText(path, options);
  const kept = async (added: ModelVersion): Promise<void> => {
    const { name, version, model } = added;
    const next =
      decodeModel(text, path).kind === 'detector'
        ? `"tapewatch model activate ${name}" puts it in force.`
        : `It scores rows at /v1/score ("model": "${name}") and /v2/models/${name}/infer.`;
    const said = `${name}@${version} is ${model}. ${next}`;
    await print(`${options.json ? JSON.stringify({ name, version, model }) : said}\n`);
  };
  const name = options.name ?? nameOf(path);
  if (options.server !== undefined) return kept(await putModel(options.server, name, text));
  await withRegistry(options, async ({ registry }) => kept(await registry.add(name, text)));
}

/** Settings that are not given stay as they are. */
export async function runModelActivate(reference: string, options: ModelCommand): Promise<void> {
  const tell = async (activated: ActivePointer): Promise<void> => {
    const { model, from } = activated;
    const since = from === 1 ? 'from the first trade on' : `from ${new Date(from).toISOString()} of event time on`;
    await print(`${options.json ? JSON.stringify(activated) : `${reference} is in force ${since}: ${model}.`}\n`);
  };
  if (options.server !== undefined) return tell(await activateOn(options.server, reference, settingsAsked(options)));
  await withRegistry(options, async ({ log, topics, registry }) => {
    const model = registry.find(reference);
    await registry.prepare([model]);
    if (registry.model(model)?.kind === 'forest')
      throw new TapewatchError('model_invalid', `${reference} scores rows: import it with --tape to detect with it.`);
    decodeArtefact(await textOf(registry, model), reference);
    const shipped = policyOf({});
    const found = await activeIn(log, topics, 0);
    const before = registry.resolve({ model, settings: found?.settings ?? null }, shipped) ?? shipped;
    const { settings } = policyOf(settingsAsked(options), before);
    const from = await activate(log, topics, { model, settings });
    await tell({ model, settings, from });
  });
}

/** @throws TapewatchError `model_invalid` that names the file. */
async function modelText(path: string, { tape, features }: ModelCommand): Promise<string> {
  const bytes = readModel(path);
  if (bytes[0] === OPENING_BRACE) {
    const text = new TextDecoder().decode(bytes);
    decodeModel(text, path);
    return text;
  }
  if (!tape) return modelFromOnnx(bytes, `model import ${basename(path)}`, features?.split(','));
  const forest = IsolationForest.fromONNX(bytes);
  if (forest.features !== FEATURES.length)
    throw new TapewatchError(
      'model_invalid',
      `${path} has ${forest.features} columns, the detector's vectors ${FEATURES.length} (see "tapewatch model show"): without --tape it is imported to score rows of its own.`,
    );
  const { read, close } = await openTapes(tape, {});
  try {
    const records = (): AsyncIterable<readonly TapeRecord[]> => oneAfterTheOther(read());
    const command = `model import ${basename(path)} --tape (${tape.length})`;
    return encodeArtefact(await train({ tape: records, seed: 0, command, forest }));
  } finally {
    await close();
  }
}

function settingsAsked({ budget, closeAfter }: ModelCommand): { budget?: string; closeAfter?: string } {
  return { ...(budget === undefined ? {} : { budget }), ...(closeAfter === undefined ? {} : { closeAfter }) };
}

/** @throws TapewatchError `model_invalid`. */
async function textOf(registry: ModelRegistry, id: string): Promise<string> {
  const text = await registry.text(id);
  if (text === null)
    throw new TapewatchError('model_invalid', `The registry's copy of ${id} is damaged: import its file again.`);
  return text;
}

function readModel(path: string): Uint8Array {
  try {
    return readFileSync(path);
  } catch (cause) {
    throw new TapewatchError('model_invalid', `Can't read the model ${path}: ${(cause as Error).message}.`, { cause });
  }
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
