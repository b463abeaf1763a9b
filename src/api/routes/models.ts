/** Models: which there are and which is in force; uploaded, put in force and rolled back while everything runs. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { type Static, Type } from 'typebox';
import { TapewatchError } from '../../market/error.ts';
import type { DetectionSettings } from '../../market/records.ts';
import type { ModelVersion } from '../../model/registry.ts';
import type { ServedModels } from '../../model/served-models.ts';
import { writeGuard } from '../may-write.ts';

export interface ModelRoutesOptions {
  readonly models: ServedModels;
  /** Bearer token that writes need; '': none, and only this computer may write. Absent: nothing can be written. */
  readonly token?: string | undefined;
}

/** Of an uploaded model. One of 100 trees has about 1 MB. */
const MODEL_BYTES_MAX = 32 << 20;

const EXAMPLE_UPLOAD = "-X PUT -H 'content-type: application/json' --data-binary @models/default.json";

const byName = Type.Object({
  name: Type.String({ pattern: '^[a-z][a-z0-9._-]{0,63}$', description: 'A model’s name', examples: ['default'] }),
});
const digest = Type.String({ pattern: '^sha256:[0-9a-f]{64}$', description: 'sha256 of the model’s file' });
const Settings = Type.Object({
  budget: Type.Number({ exclusiveMinimum: 0, maximum: 1000, description: 'Incidents a symbol-day to open' }),
  close_after_s: Type.Number({ exclusiveMinimum: 0, maximum: 86_400 }),
  rules: Type.Array(Type.Record(Type.String(), Type.Unknown()), { description: 'docs/detection.md' }),
});
const InForce = Type.Object({
  model: Type.String(),
  name: Type.Union([Type.String(), Type.Null()]),
  version: Type.Union([Type.Integer(), Type.Null()]),
  settings: Settings,
});
const VersionShape = Type.Object({
  version: Type.Integer(),
  model: digest,
  active: Type.Boolean({ description: 'Whether it is in force now' }),
  kind: Type.String({
    enum: ['detector', 'forest', 'unreadable'],
    description:
      'A detector can be put in force; a forest scores rows; unreadable: another version of Tapewatch made it',
  }),
  features: Type.Array(Type.String()),
  trees: Type.Integer(),
  sample_size: Type.Integer(),
  provenance: Type.Record(Type.String(), Type.Unknown()),
});
const ModelShape = Type.Object({ name: Type.String(), versions: Type.Array(VersionShape) });
const ListShape = Type.Object({
  active: InForce,
  awaited: Type.Union(
    [Type.Intersect([InForce, Type.Object({ from: Type.Number({ description: 'Event time, ms' }) })]), Type.Null()],
    { description: 'What comes into force when event time reaches `from`' },
  ),
  items: Type.Array(ModelShape),
});
const Kept = Type.Object({ name: Type.String(), version: Type.Integer(), model: digest });
const Upload = Type.Object(
  { format: Type.String() },
  { additionalProperties: true, description: 'The file that `tapewatch train` writes, byte for byte' },
);
const Wanted = Type.Object(
  {
    version: Type.Optional(Type.Integer({ minimum: 1, description: 'Default: the newest' })),
    model: Type.Optional(digest),
    settings: Type.Optional(Type.Partial(Settings, { additionalProperties: false })),
  },
  { additionalProperties: false, examples: [{}] },
);
const Activated = Type.Object({
  name: Type.String(),
  version: Type.Integer(),
  model: digest,
  settings: Settings,
  from: Type.Number({ description: 'Event time from which on it is in force, ms' }),
});

export function modelRoutes({ models, token }: ModelRoutesOptions): FastifyPluginAsyncTypebox {
  return async (app) => {
    app.get('/models', { schema: { response: { 200: ListShape } } }, async () => ({
      active: named(models, models.policy.artefact.id, models.policy.settings),
      awaited: models.awaited && {
        ...named(models, models.awaited.model, models.awaited.settings),
        from: models.awaited.from,
      },
      items: await Promise.all([...byNames(models.versions)].map(([name, its]) => modelOf(models, name, its))),
    }));

    app.get('/models/:name', { schema: { params: byName, response: { 200: ModelShape } } }, async (request) => {
      const { name } = request.params;
      await models.find(name);
      return modelOf(models, name, byNames(models.versions).get(name) ?? []);
    });

    if (token === undefined) return;
    const guard = writeGuard(token);
    const refusals = {};
    await app.register(async (upload) => {
      // The file's own bytes: a model is known by their sha256.
      upload.removeContentTypeParser('application/json');
      upload.addContentTypeParser('application/json', { parseAs: 'string' }, (_, body, done) => done(null, body));
      upload.put(
        '/models/:name',
        {
          ...guard,
          bodyLimit: MODEL_BYTES_MAX,
          config: { ...guard.config, curl: EXAMPLE_UPLOAD },
          schema: { params: byName, body: Upload, response: { 200: Kept, ...refusals } },
          // The registry itself says what is wrong with a name or a file.
          validatorCompiler: () => () => true,
        },
        (request) => models.add((request.params as Static<typeof byName>).name, String(request.body)),
      );
    });

    app.post(
      '/models/:name/activate',
      {
        ...guard,
        schema: { params: byName, body: Wanted, response: { 200: Activated, ...refusals } },
      },
      async (request) => {
        const { version, model, settings = {} } = request.body;
        const { name } = request.params;
        const { version: its } = await versionOf(models, name, version, model);
        const activated = await models.activate(`${name}@${its}`, settings as Partial<DetectionSettings>);
        return { name, version: its, ...activated, settings: onWire(activated.settings) };
      },
    );
  };
}

async function versionOf(
  models: ServedModels,
  name: string,
  version: number | undefined,
  model: string | undefined,
): Promise<ModelVersion> {
  await models.find(version === undefined ? name : `${name}@${version}`);
  const found = models.versions.findLast(
    (its) =>
      its.name === name &&
      (version === undefined || its.version === version) &&
      (model === undefined || its.model === model),
  );
  if (found) return found;
  throw new TapewatchError('not_found', `No version of ${name} is ${model}: see /v1/models/${name}.`);
}

function byNames(versions: readonly ModelVersion[]): Map<string, ModelVersion[]> {
  return Map.groupBy(versions, ({ name }) => name);
}

async function modelOf(
  models: ServedModels,
  name: string,
  versions: readonly ModelVersion[],
): Promise<Static<typeof ModelShape>> {
  const described = versions.map(async ({ version, model }) => {
    const info = await models.info(model);
    const active = model === models.policy.artefact.id;
    if (!info)
      return { version, model, active, kind: 'unreadable', features: [], trees: 0, sample_size: 0, provenance: {} };
    return { version, model, active, ...info, features: [...info.features], provenance: { ...info.provenance } };
  });
  return { name, versions: await Promise.all(described) };
}

function named(models: ServedModels, model: string, settings: DetectionSettings): Static<typeof InForce> {
  const its = models.versions.findLast((version) => version.model === model);
  return { model, name: its?.name ?? null, version: its?.version ?? null, settings: onWire(settings) };
}

/** The same settings: the schema's type only lacks `readonly`. */
function onWire(settings: DetectionSettings): Static<typeof Settings> {
  return settings as unknown as Static<typeof Settings>;
}
