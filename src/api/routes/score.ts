/** Stateless inference: rows of features by name to scores, with the model in force or any other of the registry. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { type Static, Type } from 'typebox';
import { Compile } from 'typebox/compile';
import type { Artefact } from '../../detection/artefact.ts';
import type { IsolationForest } from '../../detection/forest/index.ts';
import { contributionsOf, scoreRow } from '../../detection/score-row.ts';
import { FEATURES } from '../../detection/surprise/vector.ts';
import { TapewatchError } from '../../market/error.ts';
import type { Model } from '../../model/scoring-model.ts';
import type { ServedModels } from '../../model/served-models.ts';
import type { FastRoute } from '../fast-path/fast-path.ts';
import { parse } from '../tensors.ts';

const ROWS_MAX = 4096;
const ACTIVE = 'active';

const example = Object.fromEntries(FEATURES.map((name, i) => [name, i % 5 === 0 ? 8 : 0.5]));
const ScoreBody = Type.Object(
  {
    rows: Type.Array(Type.Record(Type.String(), Type.Unknown()), {
      minItems: 1,
      maxItems: ROWS_MAX,
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
type Row = Static<typeof RowShape>;

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
  const body = Compile(ScoreBody);
  return {
    route: '/v1/score',
    answer(bytes) {
      const asked = parse(bytes);
      const model = body.Check(asked) ? models.atHand(asked.model ?? ACTIVE) : null;
      return model && { json: scored(model, asked as Asked), tensors: null };
    },
  };
}

/** @throws TapewatchError `rows_invalid` that names row and column. */
function scored(model: Model, { rows, contributions = true }: Asked): string {
  if (model.kind === 'forest') {
    const { id, features, forest } = model.scoring;
    const places = indexOf(features);
    const items = rows.map((row, i) => byForest(forest, features, valuesOf(row, i, features, places), contributions));
    return JSON.stringify({ model: id, items });
  }
  const { artefact } = model;
  const items = rows.map((row, i) => byDetector(artefact, valuesOf(row, i, FEATURES, INDEX), contributions));
  return JSON.stringify({ model: artefact.id, items });
}

function byDetector(artefact: Artefact, values: Float64Array, contributions: boolean): Row {
  const { zscores, ...scored } = scoreRow(artefact, values, contributions);
  return { ...scored, zscores: Object.fromEntries(FEATURES.map((name, f) => [name, zscores[f]!])) } as Row;
}

const INDEX: ReadonlyMap<string, number> = indexOf(FEATURES);

function byForest(
  forest: IsolationForest,
  features: readonly string[],
  values: Float64Array,
  contributions: boolean,
): Row {
  const score = forest.scoreOne(values);
  const row = { score, forest: score, anomaly: score > forest.threshold };
  return contributions ? { ...row, contributions: contributionsOf(forest, values, features) } : row;
}

function indexOf(features: readonly string[]): ReadonlyMap<string, number> {
  return new Map(features.map((name, f) => [name, f]));
}

/** @throws TapewatchError `rows_invalid` that names row and column. */
function valuesOf(
  row: Readonly<Record<string, unknown>>,
  index: number,
  features: readonly string[],
  places: ReadonlyMap<string, number>,
): Float64Array {
  const refuse = (what: string): TapewatchError => new TapewatchError('rows_invalid', `Row ${index}: ${what}.`);
  const values = new Float64Array(features.length);
  let found = 0;
  for (const name of Object.keys(row)) {
    const place = places.get(name);
    if (place === undefined) throw refuse(`there is no feature ${name}`);
    const value = row[name];
    if (typeof value !== 'number' || !Number.isFinite(value)) throw refuse(`${name} is not a finite number`);
    values[place] = value;
    found++;
  }
  if (found === features.length) return values;
  throw refuse(`${features.find((name) => !Object.hasOwn(row, name))} is missing`);
}
