/** A list of trades in, their anomalies out: stateless, the same bytes as a backtest of a tape that holds them. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { type Policy, SymbolDetector } from '../../detection/detector.ts';
import { encodeAnomaly } from '../../market/codec.ts';
import { Continuity } from '../../market/continuity.ts';
import { type Anomaly, isTrade, type TapeRecord, type Trade } from '../../market/records.ts';
import type { ServedModels } from '../../model/served-models.ts';
import { AnomalyShape, TradeShape } from '../schemas.ts';

const TRADES_MAX = 50_000;

const example = { timestamp: 1760130000123.456, symbol: 'BTCUSDT', price: 112345.67, volume: 0.0125, side: 'sell' };
const DetectBody = Type.Object(
  {
    trades: Type.Array(TradeShape, {
      minItems: 1,
      maxItems: TRADES_MAX,
      description: 'Each symbol’s in the order of their ids; a hole in them is a gap, an id that has passed is dropped',
    }),
  },
  {
    additionalProperties: false,
    examples: [
      {
        trades: [
          { ...example, id: 7 },
          { ...example, id: 8 },
        ],
      },
    ],
  },
);

/** Trades are judged by the model and settings in force. */
export function detectRoutes(models: Pick<ServedModels, 'policy'>): FastifyPluginAsyncTypebox {
  return async (app) => {
    const response = { 200: Type.Object({ items: Type.Array(AnomalyShape) }) };
    app.post('/detect', { schema: { body: DetectBody, response } }, (request, reply) => {
      const lines = detect(models.policy, request.body.trades as readonly Trade[]).map(encodeAnomaly);
      // The codec's own bytes: the schema documents them.
      void reply.type('application/json').serializer((text: string) => text);
      return `{"items":[${lines.join()}]}` as never;
    });
  };
}

/** Ordered as a backtest orders them. */
function detect(policy: Policy, trades: readonly Trade[]): Anomaly[] {
  const anomalies: Anomaly[] = [];
  const detectors = new Map<string, SymbolDetector>();
  const of = (symbol: string): SymbolDetector => {
    let detector = detectors.get(symbol);
    if (!detector) {
      detector = new SymbolDetector(symbol, policy, { anomaly: (anomaly) => void anomalies.push(anomaly) });
      detectors.set(symbol, detector);
    }
    return detector;
  };
  const continuity = new Continuity();
  const records: TapeRecord[] = [];
  for (const trade of trades) {
    continuity.admit(trade, 0, 'trade', records);
    for (const record of records) {
      if (isTrade(record)) of(record.symbol).trade(record);
      else if (record.type === 'gap') of(record.symbol).gap(record);
    }
    records.length = 0;
  }
  return anomalies.sort(
    (a, b) => a.timestamp - b.timestamp || (a.symbol < b.symbol ? -1 : a.symbol > b.symbol ? 1 : 0),
  );
}
