/**
 * The models of a running process: which there are, which is in force now, how another is put in force. It follows the
 * registry's topic, so that every replica serves the same, and switches when event time reaches an activation's `from`.
 */
import type { Policy } from '../detection/detector.ts';
import type { EventLog } from '../event-log/event-log.ts';
import type { TopicNames } from '../event-log/topics.ts';
import { TapewatchError } from '../market/error.ts';
import type { DetectionSettings } from '../market/records.ts';
import { activate } from './activation.ts';
import { type ModelInfo, modelInfo } from './model-info.ts';
import type { ActivePointer, ModelRegistry, ModelVersion } from './registry.ts';
import type { Model } from './scoring-model.ts';

export interface ServedModelsOptions {
  readonly log: EventLog;
  readonly topics: TopicNames;
  readonly registry: ModelRegistry;
  /** In force until the first activation. */
  readonly policy: Policy;
  /** The newest event time seen, ms; 0 before there is any. */
  readonly eventTime: () => number;
  /** Called with what is in force, once at the beginning and whenever it changes. */
  readonly onPolicy: (policy: Policy) => void;
}

export type SettingsAsked = { readonly [K in keyof DetectionSettings]?: DetectionSettings[K] | undefined };

const WAIT_MS = 250;

export class ServedModels {
  readonly #options: ServedModelsOptions;
  readonly #infos = new Map<string, ModelInfo>();
  #policy: Policy;
  /** The activation that event time has yet to reach. */
  #awaited: ActivePointer | null = null;
  #seen: ActivePointer | null = null;
  #isSettled = false;

  constructor(options: ServedModelsOptions) {
    this.#options = options;
    this.#policy = options.policy;
    options.onPolicy(options.policy);
  }

  /** Model and settings in force now. */
  get policy(): Policy {
    return this.#policy;
  }

  /** Whether what had been activated before the start is in force here. */
  get isSettled(): boolean {
    return this.#isSettled;
  }

  /** What comes into force when event time reaches its `from`. */
  get awaited(): ActivePointer | null {
    return this.#awaited;
  }

  get versions(): readonly ModelVersion[] {
    return this.#options.registry.versions;
  }

  /** Follows the registry until the signal fires. What had been activated before is in force at once. */
  async run(signal: AbortSignal): Promise<void> {
    const { registry } = this.#options;
    await registry.refresh();
    await this.#settle(true);
    this.#isSettled = true;
    while (!signal.aborted) {
      await registry.follow(WAIT_MS, signal);
      await this.#settle(false);
    }
  }

  async #settle(atOnce: boolean): Promise<void> {
    const { registry, eventTime, onPolicy } = this.#options;
    const { active } = registry;
    if (active !== this.#seen) {
      this.#seen = active;
      this.#awaited = active;
    }
    if (!this.#awaited || (!atOnce && this.#awaited.from > Math.max(1, eventTime()))) return;
    const { model, settings } = this.#awaited;
    this.#awaited = null;
    await registry.prepare([model]);
    const policy = registry.resolve({ model, settings }, this.#policy);
    if (!policy || (policy.artefact.id === this.#policy.artefact.id && policy.settingsId === this.#policy.settingsId))
      return;
    this.#policy = policy;
    onPolicy(policy);
  }

  /** What a model is; null where this detector can't read it. */
  async info(id: string): Promise<ModelInfo | null> {
    const known = this.#infos.get(id);
    if (known) return known;
    const model = await this.#model(id);
    if (model) this.#infos.set(id, modelInfo(model));
    return this.#infos.get(id) ?? null;
  }

  /** The model that a reference stands for (NAME, NAME@VERSION, sha256:…, or `active`). @throws TapewatchError `not_found`. */
  async model(reference: string): Promise<Model> {
    if (reference === 'active') return { kind: 'detector', artefact: this.#policy.artefact };
    const id = await this.find(reference);
    const model = await this.#model(id);
    if (!model)
      throw new TapewatchError('model_invalid', `${reference} is of another version of Tapewatch: train it anew.`);
    return model;
  }

  /** The same without waiting: null where it is not at hand. */
  atHand(reference: string): Model | null {
    if (reference === 'active') return { kind: 'detector', artefact: this.#policy.artefact };
    const { registry } = this.#options;
    const id = registry.lookUp(reference);
    return id === null ? null : registry.model(id);
  }

  async #model(id: string): Promise<Model | null> {
    const { registry } = this.#options;
    if (!registry.model(id)) await registry.prepare([id]);
    return registry.model(id);
  }

  /** The id that a reference stands for, also of a model that came this moment. @throws TapewatchError `not_found`. */
  async find(reference: string): Promise<string> {
    const { registry } = this.#options;
    try {
      return registry.find(reference);
    } catch {
      await registry.refresh();
      return registry.find(reference);
    }
  }

  /** Keeps a model under `name`, as its next version. @throws TapewatchError `model_invalid`, `usage`. */
  add(name: string, text: string): Promise<ModelVersion> {
    return this.#options.registry.add(name, text);
  }

  /**
   * Puts a model in force a moment ahead in event time, for every process at the same trade; settings that are not asked for
   * stay. @throws TapewatchError `not_found`, `model_invalid`, `settings`.
   */
  async activate(reference: string, asked: SettingsAsked): Promise<ActivePointer> {
    const { log, topics, registry } = this.#options;
    const model = await this.find(reference);
    if ((await this.model(model)).kind !== 'detector')
      throw new TapewatchError(
        'model_invalid',
        `${reference} is a forest for scoring rows: "tapewatch model import --tape" makes a detector's model of one.`,
      );
    const given = Object.fromEntries(Object.entries(asked).filter(([, value]) => value !== undefined));
    const settings: DetectionSettings = { ...(registry.active?.settings ?? this.#policy.settings), ...given };
    if (!registry.resolve({ model, settings }, this.#policy))
      throw new TapewatchError(
        'settings',
        'These settings are none: budget and close_after_s above 0, rules as a list.',
      );
    const from = await activate(log, topics, { model, settings });
    return { model, settings, from };
  }
}
