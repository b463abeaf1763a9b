/** Stateless inference: rows of features by name to scores, with the model in force or any other of the registry. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { type Static, Type } from 'typebox';
import { Compile } from 'typebox/compile';
import type { Artefact } from '../../detection/artefact.ts';
import { contributionsOf, scoreRow } from '../../detection/score-row.ts';
import { FEATURES } from '../../detection/surprise/vector.ts';
import { TapewatchError } from '../../market/error.ts';
import type { Model, ScoringModel } from '../../model/scoring-model.ts';
import type { ServedModels } from '../../model/served-models.ts';
import type { FastRoute } from '../fast-path/fast-path.ts';
import { parse } from '../tensors.ts';

const ROWS_MAX = 4096;
const ACTIVE = 'active';

const ROWS = { minItems: 1, maxItems: ROWS_MAX };

const example = Object.fromEntries(FEATURES.map((name, i) => [name, i % 5 === 0 ? 8 : 0.5]));
const ScoreBody = Type.Object(
  {
    rows: Type.Array(Type.Record(Type.String(), Type.Unknown()), {
      ...ROWS,
      description: `Each row names every feature, in its own unit (the model standardises them): ${FEATURES.join(', ')}`,
    }),
    model: Type.Optional(
      Type.String({ description: 'NAME, NAME@VERSION or sha256:…; default: the model in force', minLength: 1 }),
    ),
    contributions: Type.Optional(Type.Boolean({ description: 'false: without them, several times as fast' })),
  },
  { additionalProperties: false, examples: [{ rows: [example] }] },
);
const RowShape = Type.Object({
  score: Type.Number({ description: 'Share of seconds that score lower; of a forest alone its own score' }),
  forest: Type.Number({ description: 'Isolation Forest, 0 to 1: high is anomalous' }),
  return_period_s: Type.Optional(Type.Number()),
  severity: Type.Optional(Type.String({ enum: ['none', 'notice', 'warning', 'critical'] })),
  anomaly: Type.Optional(Type.Boolean({ description: 'Of a forest alone: whether it is above its threshold' })),
  zscores: Type.Optional(Type.Record(Type.String(), Type.Number())),
  contributions: Type.Optional(
    Type.Array(Type.Object({ feature: Type.String(), share: Type.Number() }), {
      description: 'Each feature’s part in the forest’s score, the largest first',
    }),
  ),
});

type Models = Pick<ServedModels, 'policy' | 'model' | 'atHand'>;
type Asked = Static<typeof ScoreBody>;

export function scoreRoutes(models: Models): FastifyPluginAsyncTypebox {
  return async (app) => {
    const response = { 200: Type.Object({ model: Type.String(), items: Type.Array(RowShape) }) };
    app.post('/score', { schema: { body: ScoreBody, response } }, async (request, reply) => {
      const model = await models.model(request.body.model ?? ACTIVE);
      // The schema documents what is written: both ways to answer give the same bytes.
      void reply.type('application/json; charset=utf-8').serializer((text: string) => text);
      return scored(model, request.body) as never;
    });
  };
}

/** The same for the fast path. */
export function fastScore(models: Models): FastRoute {
  // To ask the schema of each row costs as much as parsing it. Its names and values are looked at anyway, which leaves lists:
  // their places are names, too.
  const { model, contributions } = ScoreBody.properties;
  const rows = Type.Array(Type.Unknown(), ROWS);
  const body = Compile(Type.Object({ rows, model, contributions }, { additionalProperties: false }));
  return {
    route: '/v1/score',
    answer(bytes) {
      const asked = parse(bytes);
      if (!body.Check(asked) || asked.rows.some(Array.isArray)) return null;
      const its = models.atHand(asked.model ?? ACTIVE);
      return its && { json: scored(its, asked as Asked), tensors: null };
    },
  };
}

/** @throws TapewatchError `rows_invalid` that names row and column. */
function scored(model: Model, { rows, contributions = true }: Asked): string {
  const isForest = model.kind === 'forest';
  const { id } = isForest ? model.scoring : model.artefact;
  const features = isForest ? model.scoring.features : FEATURES;
  const places = placesOf(features);
  const values = new Float64Array(features.length);
  const items = rows.map((row, i) => {
    read(row, i, features, places, values);
    return isForest
      ? byForest(model.scoring, values, contributions)
      : byDetector(model.artefact, values, contributions);
  });
  return `{"model":"${id}","items":[${items.join(',')}]}`;
}

function byDetector(artefact: Artefact, values: Float64Array, contributions: boolean): string {
  const { zscores, ...scored } = scoreRow(artefact, values, contributions);
  return JSON.stringify({ ...scored, zscores: Object.fromEntries(FEATURES.map((name, f) => [name, zscores[f]!])) });
}

function byForest({ forest, features }: ScoringModel, values: Float64Array, contributions: boolean): string {
  const score = forest.scoreOne(values);
  const parts = contributions ? `,"contributions":${JSON.stringify(contributionsOf(forest, values, features))}` : '';
  return `{"score":${score},"forest":${score},"anomaly":${score > forest.threshold}${parts}}`;
}

/** Made once a model. */
const PLACES = new WeakMap<readonly string[], ReadonlyMap<string, number>>();

function placesOf(features: readonly string[]): ReadonlyMap<string, number> {
  let places = PLACES.get(features);
  if (!places) {
    places = new Map(features.map((name, f) => [name, f]));
    PLACES.set(features, places);
  }
  return places;
}

/** A row's values into `values`. @throws TapewatchError `rows_invalid` that names row and column. */
function read(
  row: Readonly<Record<string, unknown>>,
  index: number,
  features: readonly string[],
  places: ReadonlyMap<string, number>,
  values: Float64Array,
): void {
  const names = Object.keys(row);
  for (let i = 0; i < names.length; i++) {
    const name = names[i]!;
    // Mostly in the model's own order.
    const place = name === features[i] ? i : places.get(name);
    if (place === undefined) throw refused(index, `there is no feature ${name}`);
    const value = row[name];
    if (typeof value !== 'number' || !Number.isFinite(value)) throw refused(index, `${name} is not a finite number`);
    values[place] = value;
  }
  if (names.length === features.length) return;
  throw refused(index, `${features.find((name) => !Object.hasOwn(row, name))} is missing`);
}

function refused(index: number, what: string): TapewatchError {
  return new TapewatchError('rows_invalid', `Row ${index}: ${what}.`);
}
