/**
 * The registry: models on the compacted `models` topic, by content and by name (docs/decisions/model-registry.md).
 * A model is known by the sha256 of its bytes, so every process finds the same one; names with versions are for people.
 */
import type { Artefact } from '../detection/artefact.ts';
import { parseRules } from '../detection/decision/rules.ts';
import type { Policy } from '../detection/detector.ts';
import type { EventLog, NewRecord, Offset } from '../event-log/event-log.ts';
import { TapewatchError } from '../market/error.ts';
import type { Activate, DetectionSettings } from '../market/records.ts';
import { settingsId, sha256 } from './artefact-file.ts';
import { decodeModel, type Model } from './scoring-model.ts';

/** Key `NAME@VERSION`. Versions of a name count from 1. */
export interface ModelVersion {
  readonly name: string;
  readonly version: number;
  /** `sha256:…`: the key under which the artefact's bytes stand. */
  readonly model: string;
}

/** Key `active`: what the last activation asked for, for people; what is in force stands on the tape itself. */
export interface ActivePointer {
  readonly model: string;
  readonly settings: DetectionSettings;
  /** Event time, ms. */
  readonly from: number;
}

export const ACTIVE_KEY = 'active';
const NAME = /^[a-z][a-z0-9._-]{0,63}$/;
const ID = /^sha256:[0-9a-f]{64}$/;
/** Models held decoded, about 1 MB each; more than the activations that a partition remembers. */
const DECODED_MAX = 128;

export class ModelRegistry {
  readonly #log: EventLog;
  readonly #topic: string;
  readonly #offsets = new Map<string, Offset>();
  readonly #versions = new Map<string, ModelVersion>();
  #sorted: readonly ModelVersion[] | null = null;
  readonly #decoded = new Map<string, Model>();
  #active: ActivePointer | null = null;
  #next: Offset = 0;
  /** Reads and additions come one after the other, whoever asks. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(log: EventLog, topic: string) {
    this.#log = log;
    this.#topic = topic;
  }

  /** Reads what has come since. */
  refresh(): Promise<void> {
    return this.#inTurn(() => this.#readOn());
  }

  /** Waits for something new, up to `waitMs`, and reads it. */
  async follow(waitMs: number, signal: AbortSignal): Promise<void> {
    const { records } = await this.#log.read(this.#topic, 0, this.#next, { maxRecords: 1, waitMs, signal });
    if (records.length > 0) await this.refresh();
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work, work);
    this.#last = turn;
    return turn;
  }

  async #readOn(): Promise<void> {
    for (;;) {
      const { records, next } = await this.#log.read(this.#topic, 0, this.#next);
      if (records.length === 0) return;
      for (const { key, value, offset } of records) if (key !== null) this.#take(key, value, offset);
      this.#next = next;
    }
  }

  #take(key: string, value: Uint8Array | null, offset: Offset): void {
    if (ID.test(key)) {
      if (value) this.#offsets.set(key, offset);
      else this.#offsets.delete(key);
      return;
    }
    this.#sorted = null;
    const pointer = value ? (parse(value) as Partial<ModelVersion & ActivePointer> | null) : null;
    if (key === ACTIVE_KEY) this.#active = pointer as ActivePointer | null;
    else if (pointer && typeof pointer.model === 'string') this.#versions.set(key, pointer as ModelVersion);
    else this.#versions.delete(key);
  }

  /** Every version of every name, the newest of a name last. */
  get versions(): readonly ModelVersion[] {
    this.#sorted ??= [...this.#versions.values()].sort((a, b) =>
      a.name === b.name ? a.version - b.version : a.name < b.name ? -1 : 1,
    );
    return this.#sorted;
  }

  get active(): ActivePointer | null {
    return this.#active;
  }

  /** The id that `NAME`, `NAME@VERSION`, `sha256:…` or the beginning of one stands for. @throws TapewatchError `not_found`. */
  find(reference: string): string {
    const found = this.lookUp(reference);
    if (found !== null) return found;
    const known = this.versions.map(({ name, version }) => `${name}@${version}`).join(', ');
    throw new TapewatchError('not_found', `There is no model ${reference} in the registry: ${known || 'it is empty'}.`);
  }

  /** The same, null where there is none. */
  lookUp(reference: string): string | null {
    const at = reference.lastIndexOf('@');
    const [wanted, version] = at < 0 ? [reference, null] : [reference.slice(0, at), reference.slice(at + 1)];
    const named = this.versions.findLast(
      (its) => its.name === wanted && (version === null || String(its.version) === version),
    );
    if (named) return named.model;
    const digest = reference.replace(/^sha256:/, '');
    const fitting =
      digest.length < 6 ? [] : [...this.#offsets.keys()].filter((id) => id.startsWith(`sha256:${digest}`));
    return fitting.length === 1 ? fitting[0]! : null;
  }

  /** Fetches and decodes the models of these ids, so that `artefact` and `resolve` have them; unknown ones are passed over. */
  async prepare(models: readonly string[]): Promise<void> {
    for (const id of new Set(models)) {
      if (this.#decoded.has(id)) continue;
      if (!this.#offsets.has(id)) await this.refresh();
      const text = await this.text(id);
      const model = text === null ? null : readable(text, id);
      if (model) this.#keep(id, model);
    }
  }

  /** The artefact's own bytes, null where it isn't there or they are damaged. */
  async text(id: string): Promise<string | null> {
    const offset = this.#offsets.get(id);
    if (offset === undefined) return null;
    const { records } = await this.#log.read(this.#topic, 0, offset, { maxRecords: 1 });
    const value = records[0]?.key === id ? records[0].value : null;
    return value && sha256(value) === id ? new TextDecoder().decode(value) : null;
  }

  /** Of those that are prepared. */
  model(id: string): Model | null {
    return this.#decoded.get(id) ?? null;
  }

  artefact(id: string): Artefact | null {
    const model = this.model(id);
    return model?.kind === 'detector' ? model.artefact : null;
  }

  /** What an activation asks for (null: as `before`), of the models that are prepared. */
  readonly resolve = (wanted: Wanted, before: Policy): Policy | null =>
    resolvePolicy(wanted, before, (id) => this.artefact(id));

  /**
   * Puts a model into the registry under `name`, as its next version; the last version's own bytes change nothing.
   * @throws TapewatchError `model_invalid`, or `usage` where the name can't be one.
   */
  async add(name: string, text: string): Promise<ModelVersion> {
    if (!NAME.test(name) || name === ACTIVE_KEY) {
      throw new TapewatchError(
        'usage',
        `A model can't be called ${JSON.stringify(name)}: up to 64 of a-z, 0-9, ".", "_" and "-", a letter first.`,
      );
    }
    const model = decodeModel(text, name);
    return this.#inTurn(() => this.#append(name, text, model));
  }

  async #append(name: string, text: string, model: Model): Promise<ModelVersion> {
    const id = sha256(text);
    await this.#readOn();
    const last = this.versions.findLast((version) => version.name === name);
    if (last?.model === id && this.#offsets.has(id)) return last;
    const version: ModelVersion = { name, version: (last?.version ?? 0) + 1, model: id };
    const records: NewRecord[] = [];
    if (!this.#offsets.has(id)) records.push({ topic: this.#topic, key: id, value: Buffer.from(text) });
    if (last?.model !== id)
      records.push({
        topic: this.#topic,
        key: `${name}@${version.version}`,
        value: Buffer.from(JSON.stringify(version)),
      });
    await this.#log.append(records);
    await this.#readOn();
    this.#keep(id, model);
    return this.versions.findLast(({ name: its }) => its === name)!;
  }

  #keep(id: string, model: Model): void {
    if (this.#decoded.size >= DECODED_MAX) this.#decoded.delete(this.#decoded.keys().next().value!);
    this.#decoded.set(id, model);
  }
}

type Wanted = Pick<Activate, 'model' | 'settings'>;

/** The policy of an activation where `artefact` has the models; null where it lacks this one or the settings are wrong. */
export function resolvePolicy(
  wanted: Wanted,
  before: Policy,
  artefact: (id: string) => Artefact | null,
): Policy | null {
  const model = wanted.model ?? before.artefact.id;
  const its = model === before.artefact.id ? before.artefact : artefact(model);
  const settings = wanted.settings ?? before.settings;
  return its && areSettings(settings) ? { artefact: its, settings, settingsId: settingsId(settings) } : null;
}

/** null where the model is one of another detector: the registry keeps it all the same. */
function readable(text: string, id: string): Model | null {
  try {
    return decodeModel(text, id);
  } catch (error) {
    if (error instanceof TapewatchError) return null;
    throw error;
  }
}

function parse(value: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(value));
  } catch {
    return null;
  }
}

/** Anyone may write an activation: what detection relies on is checked here. */
function areSettings(value: unknown): value is DetectionSettings {
  if (typeof value !== 'object' || value === null) return false;
  const { budget, close_after_s, rules } = value as Partial<DetectionSettings>;
  const positive = (x: unknown): boolean => typeof x === 'number' && Number.isFinite(x) && x > 0;
  return positive(budget) && positive(close_after_s) && areRules(rules);
}

function areRules(value: unknown): boolean {
  try {
    parseRules(value);
    return true;
  } catch {
    return false;
  }
}
