/** Stateless inference with the detector's own model: rows of features to scores, trades to anomalies. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';

import { type Policy, SymbolDetector } from '../../detection/detector.ts';
import { type RowScore, scoreRow } from '../../detection/score-row.ts';
import { FEATURES } from '../../detection/surprise/vector.ts';
import { encodeAnomaly } from '../../market/codec.ts';
import { TapewatchError } from '../../market/error.ts';
import type { Anomaly } from '../../market/records.ts';
import { Problem, TradeShape } from '../schemas.ts';

const ROWS_MAX = 4096;
const TRADES_MAX = 50_000;

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
const DetectBody = Type.Object(
  { trades: Type.Array(TradeShape, { minItems: 1, maxItems: TRADES_MAX }) },
  { additionalProperties: false },
);

/** `policy`: the model and settings to judge by. */
export function scoreRoutes(policy: Policy): FastifyPluginAsyncTypebox {
  return async (app) => {
    const response = { 200: Type.Object({ model: Type.String(), items: Type.Array(RowShape) }), 400: Problem };
    app.post('/score', { schema: { body: ScoreBody, response } }, (request) => ({
      model: policy.artefact.id,
      items: request.body.rows.map((row, i) => {
        const scored: RowScore = scoreRow(policy.artefact, valuesOf(row, i));
        const zscores = Object.fromEntries(FEATURES.map((name, f) => [name, scored.zscores[f]!]));
        return { ...scored, zscores, contributions: [...scored.contributions] };
      }),
    }));

    app.post('/detect', { schema: { body: DetectBody } }, (request, reply) => {
      const lines = detect(policy, request.body.trades as Parameters<typeof detect>[1]).map(encodeAnomaly);
      return reply.type('application/json').send(`{"items":[${lines.join()}]}`);
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

/** The anomalies of these trades, each symbol's in the order given; in the order of a backtest's. */
function detect(policy: Policy, trades: Parameters<SymbolDetector['trade']>[0][]): Anomaly[] {
  const anomalies: Anomaly[] = [];
  const detectors = new Map<string, SymbolDetector>();
  for (const trade of trades) {
    let detector = detectors.get(trade.symbol);
    if (!detector) {
      const out = { anomaly: (anomaly: Anomaly): unknown => anomalies.push(anomaly), bar: (): void => undefined };
      detector = new SymbolDetector(trade.symbol, policy, out);
      detectors.set(trade.symbol, detector);
    }
    detector.trade(trade);
  }
  return anomalies.sort(
    (a, b) => a.timestamp - b.timestamp || (a.symbol < b.symbol ? -1 : a.symbol > b.symbol ? 1 : 0),
  );
}
