/** The shapes of the API: what validates also documents. */
import { Type } from 'typebox';
import { KINDS, SEVERITIES } from '../market/records.ts';

const symbol = Type.String({ pattern: '^[A-Z0-9]{1,20}$', examples: ['BTCUSDT'] });
export const ById = Type.Object({
  id: Type.String({ minLength: 1, description: 'An anomaly’s id; `latest` for the newest', examples: ['latest'] }),
});
const time = (description: string) => Type.Number({ description: `${description}, ms since the epoch` });

export const AnomalyShape = Type.Object(
  {
    id: Type.String(),
    symbol: Type.String(),
    timestamp: Type.Number(),
    kind: Type.String({ enum: [...KINDS] }),
    phase: Type.String({ enum: ['open', 'escalate', 'update', 'close'] }),
    severity: Type.String({ enum: [...SEVERITIES] }),
    score: Type.Number(),
    return_period_s: Type.Number(),
    direction: Type.String({ enum: ['up', 'down', 'none'] }),
    zscore: Type.Number(),
    forest: Type.Number(),
    actual: Type.Record(Type.String(), Type.Number()),
    expected: Type.Record(Type.String(), Type.Array(Type.Number())),
    contributions: Type.Array(Type.Object({ feature: Type.String(), share: Type.Number() })),
    summary: Type.String(),
    evidence: Type.Object({
      firstTradeId: Type.Integer(),
      lastTradeId: Type.Integer(),
      model: Type.String(),
      settings: Type.String(),
      detector: Type.String(),
    }),
  },
  { description: 'One record of an incident' },
);

export const SymbolShape = Type.Object({
  symbol: Type.String(),
  price: Type.Number(),
  timestamp: Type.Number(),
  score: Type.Number({ description: 'log10 of the return period, s, of the last second’s strongest score' }),
  level: Type.Number({ description: 'The same scale: where an incident opens' }),
});

export const BarShape = Type.Object({
  symbol: Type.String(),
  timestamp: Type.Number(),
  open: Type.Number(),
  high: Type.Number(),
  low: Type.Number(),
  close: Type.Number(),
  volume: Type.Number(),
  quoteVolume: Type.Number(),
  trades: Type.Integer(),
  takerBuyVolume: Type.Number(),
  score: Type.Number(),
  level: Type.Number(),
});

export const TradeShape = Type.Object({
  timestamp: Type.Number({ exclusiveMinimum: 0, exclusiveMaximum: 8.64e15, description: 'ms since the epoch' }),
  symbol: Type.String({ minLength: 1, maxLength: 40 }),
  id: Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
  price: Type.Number({ minimum: 0 }),
  volume: Type.Number({ minimum: 0 }),
  side: Type.String({ enum: ['buy', 'sell'] }),
});

export const EvidenceShape = Type.Object({
  anomaly: AnomalyShape,
  story: Type.Array(AnomalyShape, { description: 'The incident’s records' }),
  trades: Type.Array(TradeShape),
  bars: Type.Array(BarShape),
  replay: Type.Union([Type.Record(Type.String(), Type.Unknown()), Type.Null()], {
    description: 'Where in the log the replay begins, with which model and settings',
  }),
  record: Type.Optional(Type.String({ description: 'The whole record, base64' })),
});

export const AnomalyQuery = Type.Object({
  symbol: Type.Optional(symbol),
  kind: Type.Optional(Type.String({ enum: [...KINDS] })),
  severity: Type.Optional(Type.String({ enum: [...SEVERITIES] })),
  from: Type.Optional(time('From')),
  to: Type.Optional(time('Up to, exclusive')),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, description: 'Default 100' })),
  cursor: Type.Optional(Type.Integer({ minimum: 0, description: 'nextCursor of the page before' })),
});

export const BarQuery = Type.Object({
  symbol,
  from: Type.Optional(time('From')),
  to: Type.Optional(time('Up to, exclusive')),
  interval: Type.Optional(Type.Integer({ minimum: 1, maximum: 86_400, description: 'Seconds a bar; default 1' })),
});

export const TradeQuery = Type.Object({
  symbol,
  fromId: Type.Optional(Type.Integer({ minimum: 0 })),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000, description: 'Default 100' })),
});
