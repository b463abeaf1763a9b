/** A server with something to say: symbols, bars, trades, one incident, the shipped model and a small forest. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FastifyInstance } from 'fastify';
import { IsolationForest } from 'tapewatch/forest';
import { type AppOptions, createApp } from '../../src/api/app.ts';
import { putInForce } from '../../src/commands/activation.ts';
import { evidencing } from '../../src/commands/evidence.ts';
import { recomputing } from '../../src/commands/recompute.ts';
import { serving } from '../../src/commands/serving.ts';
import { type EmbeddedLog, openEmbeddedLog } from '../../src/event-log/embedded/embedded-log.ts';
import { topicNames, topicSpecs } from '../../src/event-log/topics.ts';
import { encodeAnomaly, encodeBar, encodeTrade } from '../../src/market/codec.ts';
import { Random } from '../../src/market/random.ts';
import { modelFromOnnx } from '../../src/model/scoring-model.ts';
import { Metrics } from '../../src/observe/metrics.ts';
import { Views } from '../../src/views/views.ts';
import { specimen } from '../contract/notifier.ts';

export interface Served {
  readonly url: string;
  readonly app: FastifyInstance;
  readonly log: EmbeddedLog;
  /** The forest of three columns that is kept as `small`. */
  readonly forest: IsolationForest;
  close(): Promise<void>;
}

export async function startServer(options: Partial<AppOptions> = {}): Promise<Served> {
  const topics = topicNames('');
  const dir = mkdtempSync(join(tmpdir(), 'tapewatch-server-'));
  const stop = new AbortController();
  const log = await openEmbeddedLog({ dir, now: Date.now });
  await log.ensureTopics(topicSpecs({ prefix: '', partitions: 2, retentionMs: null }));
  const { policy, registry } = await putInForce(log, topics, {});
  const random = new Random(1);
  const rows = Float32Array.from({ length: 3000 }, () => random.next());
  const forest = IsolationForest.fit(rows, { features: 3, trees: 20, contamination: 0.05 });
  await registry.add('small', modelFromOnnx(forest.toONNX(), 'a test', ['a', 'b', 'c']));
  await log.append(market(topics));
  const metrics = new Metrics();
  const views = new Views(log, topics);
  const models = serving({ log, topics, registry, policy, views, metrics });
  const running = [views.run(stop.signal), models.run(stop.signal)];
  const app = await createApp({
    views,
    metrics,
    models,
    notReady: () => null,
    version: '0',
    write: { log, topics, token: '' },
    evidence: evidencing(log),
    recompute: recomputing(log, () => models.policy),
    ...options,
  });
  while (!views.anomaly('latest') || !views.symbol('BTCUSDT')?.trades.length)
    await new Promise((resolve) => setTimeout(resolve, 5));
  return {
    url: await app.listen({ port: 0, host: '127.0.0.1' }),
    app,
    log,
    forest,
    async close() {
      stop.abort();
      await app.close();
      await Promise.allSettled(running);
      await log.close();
      rmSync(dir, { recursive: true });
    },
  };
}

function market(topics: ReturnType<typeof topicNames>) {
  const key = 'BTCUSDT';
  const { timestamp } = specimen;
  const bar = { symbol: key, timestamp, open: 1, high: 2, low: 1, close: 2, volume: 3, quoteVolume: 5, trades: 2 };
  const trade = { timeUs: timestamp * 1000, symbol: key, price: '2.00', volume: '1', side: 'buy' } as const;
  return [
    { topic: topics.anomalies, key, value: Buffer.from(encodeAnomaly(specimen)) },
    { topic: topics.bars, key, value: Buffer.from(encodeBar({ ...bar, takerBuyVolume: 3, score: 4, level: 5 })) },
    ...[5, 6, 7].map((id) => ({ topic: topics.trades, key, value: Buffer.from(encodeTrade({ ...trade, id })) })),
  ];
}
