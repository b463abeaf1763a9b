/** Stateless inference with the detector's own model: rows of features to scores, trades to anomalies. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { type RowScore, scoreRow } from '../../detection/score-row.ts';
import { FEATURES } from '../../detection/surprise/vector.ts';
import { TapewatchError } from '../../market/error.ts';
import type { ServedModels } from '../../model/served-models.ts';
import { Problem } from '../schemas.ts';

const ROWS_MAX = 4096;

const example = Object.fromEntries(FEATURES.map((name, i) => [name, i % 5 === 0 ? 8 : 0.5]));
const ScoreBody = Type.Object(
  {
    rows: Type.Array(Type.Record(Type.String(), Type.Unknown()), {
      minItems: 1,
      maxItems: ROWS_MAX,
      description: `Each row names every feature, in its own unit (the model standardises them): ${FEATURES.join(', ')}`,
    }),
  },
  { additionalProperties: false, examples: [{ rows: [example] }] },
);
const RowShape = Type.Object({
  score: Type.Number(),
  return_period_s: Type.Number(),
  severity: Type.String({ enum: ['none', 'notice', 'warning', 'critical'] }),
  forest: Type.Number(),
  zscores: Type.Record(Type.String(), Type.Number()),
  contributions: Type.Array(Type.Object({ feature: Type.String(), share: Type.Number() })),
});
/** Rows are judged by the model in force. */
export function scoreRoutes(models: Pick<ServedModels, 'policy'>): FastifyPluginAsyncTypebox {
  return async (app) => {
    const response = { 200: Type.Object({ model: Type.String(), items: Type.Array(RowShape) }), 400: Problem };
    app.post('/score', { schema: { body: ScoreBody, response } }, (request) => {
      const { artefact } = models.policy;
      const items = request.body.rows.map((row, i) => {
        const scored: RowScore = scoreRow(artefact, valuesOf(row, i));
        const zscores = Object.fromEntries(FEATURES.map((name, f) => [name, scored.zscores[f]!]));
        return { ...scored, zscores, contributions: [...scored.contributions] };
      });
      return { model: artefact.id, items };
    });
  };
}

/** @throws TapewatchError `rows_invalid` that names row and column. */
function valuesOf(row: Readonly<Record<string, unknown>>, index: number): Float64Array {
  const refuse = (what: string): TapewatchError => new TapewatchError('rows_invalid', `Row ${index}: ${what}.`);
  for (const name of Object.keys(row)) if (!FEATURES.includes(name)) throw refuse(`there is no feature ${name}`);
  return Float64Array.from(FEATURES, (name) => {
    const value = row[name];
    if (value === undefined) throw refuse(`${name} is missing`);
    if (typeof value !== 'number' || !Number.isFinite(value)) throw refuse(`${name} is not a finite number`);
    return value;
  });
}
