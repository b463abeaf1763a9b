/** What can be read: symbols, anomalies and their evidence, incidents, bars, trades. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { type Static, Type } from 'typebox';
import { TapewatchError } from '../../market/error.ts';
import { type Anomaly, type Bar, incidentOf, type Trade } from '../../market/records.ts';
import type { SymbolView, Views } from '../../views/views.ts';
import {
  AnomalyQuery,
  AnomalyShape,
  BarQuery,
  BarShape,
  ById,
  EvidenceShape,
  SymbolShape,
  TradeQuery,
  TradeShape,
} from '../schemas.ts';

/** Bars shown with an anomaly, before and after it. */
const AROUND_MS = 300_000;

/** An incident's record on the evidence topic. */
export interface StoredEvidence {
  /** Its first line: partition and offset where replay begins, detector, model and settings in force there. */
  readonly head: object;
  /** The whole record, base64: that line, then the snapshot. */
  readonly record: string;
  /** The anomaly's trades, in the log still. */
  readonly trades: readonly Trade[];
}

export type FindEvidence = (anomaly: Anomaly) => Promise<StoredEvidence | null>;

/** Without `evidence` trades are those that the view still has. */
export function readRoutes(
  views: Views,
  evidence: FindEvidence = () => Promise.resolve(null),
): FastifyPluginAsyncTypebox {
  return async (app) => {
    const list = (shape: Parameters<typeof Type.Array>[0]) => ({
      200: Type.Object({ items: Type.Array(shape) }),
    });

    app.get('/symbols', { schema: { response: list(SymbolShape) } }, () => ({
      items: views
        .symbols()
        .map(({ symbol, price, timestamp, score, level }) => ({ symbol, price, timestamp, score, level })),
    }));

    const page = Type.Object({ items: Type.Array(AnomalyShape), nextCursor: Type.Optional(Type.Integer()) });
    app.get('/anomalies', { schema: { querystring: AnomalyQuery, response: { 200: page } } }, (request) => {
      const { limit = 100, ...filter } = request.query;
      const found = views.anomalies({ ...filter, limit });
      const last = found.at(-1);
      const items = found.map(({ anomaly }) => onWire(anomaly));
      return last && found.length === limit ? { items, nextCursor: last.offset } : { items };
    });

    app.get('/anomalies/:id', { schema: { params: ById, response: { 200: AnomalyShape } } }, (request) =>
      onWire(find(views, request.params.id)),
    );

    const whole = Type.Object({ record: Type.Optional(Type.Boolean()) });
    app.get(
      '/anomalies/:id/evidence',
      { schema: { params: ById, querystring: whole, response: { 200: EvidenceShape } } },
      async (request) => {
        const anomaly = find(views, request.params.id);
        const stored = await evidence(anomaly);

        const view = views.symbol(anomaly.symbol);
        const { firstTradeId, lastTradeId } = anomaly.evidence;
        const incident = incidentOf(anomaly.id);
        const viewed = (view?.trades ?? []).filter(({ id }) => id >= firstTradeId && id <= lastTradeId);
        // As onWire: the same values, of which the schema's type only lacks `readonly`.
        return {
          anomaly,
          story:
            views.incidents(1000).find(([first]) => first !== undefined && incidentOf(first.id) === incident) ?? [],
          // The view has the newest trades, the log those that are left of a long time.
          trades: stored && stored.trades.length >= viewed.length ? stored.trades : viewed,
          bars: await views.bars(anomaly.symbol, anomaly.timestamp - AROUND_MS, anomaly.timestamp + AROUND_MS),
          replay: stored?.head ?? null,
          ...(stored && request.query.record ? { record: stored.record } : {}),
        } as never;
      },
    );

    const limits = Type.Object({ limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1000 })) });
    const incident = Type.Object({ id: Type.String(), records: Type.Array(AnomalyShape) });
    app.get('/incidents', { schema: { querystring: limits, response: list(incident) } }, (request) => ({
      items: views
        .incidents(request.query.limit ?? 100)
        .map((records) => ({ id: incidentOf(records[0]!.id), records: records.map(onWire) })),
    }));

    app.get('/bars', { schema: { querystring: BarQuery, response: { ...list(BarShape) } } }, async (request) => {
      const { symbol, from, to = Number.POSITIVE_INFINITY, interval = 1 } = request.query;
      known(views, symbol);
      const bars = await views.bars(symbol, from, to);
      return { items: gather(bars, interval * 1000) };
    });

    app.get('/trades', { schema: { querystring: TradeQuery, response: { ...list(TradeShape) } } }, (request) => {
      const { symbol, fromId, limit = 100 } = request.query;
      const { trades } = known(views, symbol);
      return {
        items: fromId === undefined ? trades.slice(-limit) : trades.filter(({ id }) => id >= fromId).slice(0, limit),
      };
    });
  };
}

function find(views: Views, id: string): Anomaly {
  const anomaly = views.anomaly(id);
  if (!anomaly) throw new TapewatchError('not_found', `There is no anomaly ${id}: ids are listed at /v1/anomalies.`);
  return anomaly;
}

function known(views: Views, symbol: string): SymbolView {
  const view = views.symbol(symbol);
  if (!view) throw new TapewatchError('not_found', `${symbol} is not watched: symbols are listed at /v1/symbols.`);
  return view;
}

/** The same anomaly: the schema's type only lacks `readonly`. */
function onWire(anomaly: Anomaly): Static<typeof AnomalyShape> {
  return anomaly as unknown as Static<typeof AnomalyShape>;
}

/** Bars of a second into longer ones. */
function gather(bars: readonly Bar[], lengthMs: number): Bar[] {
  const longer = new Map<number, Bar>();
  for (const bar of bars) {
    const timestamp = Math.floor(bar.timestamp / lengthMs) * lengthMs;
    const before = longer.get(timestamp);
    longer.set(timestamp, before ? join(before, bar) : { ...bar, timestamp });
  }
  return [...longer.values()];
}

function join(a: Bar, b: Bar): Bar {
  return {
    ...a,
    high: Math.max(a.high, b.high),
    low: Math.min(a.low, b.low),
    close: b.close,
    volume: a.volume + b.volume,
    quoteVolume: a.quoteVolume + b.quoteVolume,
    trades: a.trades + b.trades,
    takerBuyVolume: a.takerBuyVolume + b.takerBuyVolume,
    score: Math.max(a.score, b.score),
    level: b.level,
  };
}
