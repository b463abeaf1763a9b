/** What the page shows at a glance: the watch list with its recent past, and the health of the whole path. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import type { Metrics } from '../../observe/metrics.ts';
import type { Views } from '../../views/views.ts';
import { watchRow } from '../../views/watch-row.ts';

export interface WatchOptions {
  readonly views: Views;
  readonly metrics: Metrics;
  readonly notReady: () => string | null;
  readonly version: string;
}

const HOUR_MS = 3_600_000;

const WatchQuery = Type.Object({
  steps: Type.Optional(Type.Integer({ minimum: 1, maximum: 240, description: 'Steps of the recent past; default 40' })),
  length: Type.Optional(Type.Integer({ minimum: 1, maximum: 3600, description: 'Seconds a step; default 30' })),
});

const WatchShape = Type.Object({
  now: Type.Number({ description: 'Event time of the newest bar, ms' }),
  length_s: Type.Integer(),
  items: Type.Array(
    Type.Object({
      symbol: Type.String(),
      price: Type.Number(),
      timestamp: Type.Number(),
      score: Type.Number(),
      level: Type.Number(),
      halted: Type.Boolean(),
      reference: Type.Number({ description: 'Price an hour ago, or that of the oldest bar held' }),
      alerts: Type.Integer({ description: 'Incidents opened in the last hour of event time' }),
      closes: Type.Array(Type.Union([Type.Number(), Type.Null()])),
      peaks: Type.Array(Type.Number({ description: 'Oddness: 0 is usual, 1 opens an incident' })),
    }),
  ),
});

const HealthShape = Type.Object({
  version: Type.String(),
  notReady: Type.Union([Type.String(), Type.Null()]),
  feed: Type.Object({
    connections: Type.Array(Type.Object({ name: Type.String(), connected: Type.Boolean() })),
    lastTradeAt: Type.Union([Type.Number({ description: 'When a trade last came, ms' }), Type.Null()]),
    trades: Type.Integer(),
  }),
  holes: Type.Object({ repaired: Type.Integer(), lost: Type.Integer() }),
  lag: Type.Integer({ description: 'Records not yet scored' }),
  restore_s: Type.Union([Type.Number(), Type.Null()]),
  model: Type.Union([Type.String(), Type.Null()]),
  memory_bytes: Type.Integer(),
});

export function watchRoutes(options: WatchOptions): FastifyPluginAsyncTypebox {
  const { views, metrics, notReady, version } = options;
  return async (app) => {
    app.get('/watch', { schema: { querystring: WatchQuery, response: { 200: WatchShape } } }, (request) => {
      const { steps: count = 40, length: length_s = 30 } = request.query;
      const symbols = views.symbols();
      const now = symbols.reduce((latest, { timestamp }) => Math.max(latest, timestamp), 0);
      const alerts = new Map<string, number>();
      for (const { anomaly } of views.anomalies({ from: now - HOUR_MS, limit: 20_000 }))
        if (anomaly.phase === 'open') alerts.set(anomaly.symbol, (alerts.get(anomaly.symbol) ?? 0) + 1);
      const rows = symbols.map((view) => watchRow(view, { count, length_s, now }, alerts.get(view.symbol) ?? 0));
      return {
        now,
        length_s,
        items: rows.map((row) => ({ ...row, closes: [...row.closes], peaks: [...row.peaks] })),
      };
    });

    app.get('/health', { schema: { response: { 200: HealthShape } } }, async () => {
      const { values: connections } = await metrics.feedConnected.get();
      const { values: gaps } = await metrics.gapTrades.get();
      const { values: lags } = await metrics.lag.get();
      const { values: trades } = await metrics.trades.get();
      const { values: models } = await metrics.modelInfo.get();
      const { values: restores } = await metrics.restoreSeconds.get();
      const lastTrade = (await metrics.lastTrade.get()).values[0]?.value ?? 0;
      const holes = (outcome: string): number => total(gaps.filter(({ labels }) => labels.outcome === outcome));
      return {
        version,
        notReady: notReady(),
        feed: {
          connections: connections.map(({ labels, value }) => ({
            name: String(labels.connection),
            connected: value === 1,
          })),
          lastTradeAt: lastTrade > 0 ? Math.round(lastTrade * 1000) : null,
          trades: total(trades),
        },
        holes: { repaired: holes('repaired'), lost: holes('lost') },
        lag: total(lags),
        restore_s: restores.find(({ metricName }) => metricName?.endsWith('_sum'))?.value || null,
        model: models.at(-1)?.labels.version?.toString() ?? null,
        memory_bytes: process.memoryUsage.rss(),
      };
    });
  };
}

function total(values: readonly { readonly value: number }[]): number {
  return values.reduce((sum, { value }) => sum + value, 0);
}
