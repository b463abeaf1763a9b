/** Stateless inference: rows of features by name to scores, with the model in force or any other of the registry. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { type Static, Type } from 'typebox';
import { scoreRow } from '../../detection/score-row.ts';
import { FEATURES } from '../../detection/surprise/vector.ts';
import { TapewatchError } from '../../market/error.ts';
import type { ScoringModel } from '../../model/scoring-model.ts';
import type { ServedModels } from '../../model/served-models.ts';

const ROWS_MAX = 4096;

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
  contributions: Type.Array(Type.Object({ feature: Type.String(), share: Type.Number() })),
});
type Row = Static<typeof RowShape>;

export function scoreRoutes(models: Pick<ServedModels, 'policy' | 'model'>): FastifyPluginAsyncTypebox {
  return async (app) => {
    const response = { 200: Type.Object({ model: Type.String(), items: Type.Array(RowShape) }) };
    app.post('/score', { schema: { body: ScoreBody, response } }, async (request) => {
      const { rows, model: reference = 'active' } = request.body;
      const model = await models.model(reference);
      if (model.kind === 'forest')
        return { model: model.scoring.id, items: rows.map((row, i) => byForest(model.scoring, row, i)) };
      const { artefact } = model;
      const items = rows.map((row, i): Row => {
        const scored = scoreRow(artefact, valuesOf(row, i, FEATURES, INDEX));
        const zscores: Record<string, number> = {};
        for (let f = 0; f < FEATURES.length; f++) zscores[FEATURES[f]!] = scored.zscores[f]!;
        return { ...scored, zscores, contributions: scored.contributions as Row['contributions'] };
      });
      return { model: artefact.id, items };
    });
  };
}

const INDEX: ReadonlyMap<string, number> = indexOf(FEATURES);

function byForest({ forest, features }: ScoringModel, row: Readonly<Record<string, unknown>>, index: number): Row {
  const values = valuesOf(row, index, features, indexOf(features));
  const score = forest.scoreOne(values);
  const contributions = Array.from(forest.attribute(values), (share, f) => ({ feature: features[f]!, share }))
    .filter(({ share }) => share > 0)
    .sort((a, b) => b.share - a.share);
  return { score, forest: score, anomaly: score > forest.threshold, contributions };
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
