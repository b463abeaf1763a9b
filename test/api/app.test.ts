import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { FastifyInstance } from 'fastify';
import { createApp } from '../../src/api/app.ts';
import { type EmbeddedLog, openEmbeddedLog } from '../../src/event-log/embedded/embedded-log.ts';
import { topicNames, topicSpecs } from '../../src/event-log/topics.ts';
import { encodeAnomaly, encodeBar, encodeTrade } from '../../src/market/codec.ts';
import type { Anomaly, Bar } from '../../src/market/records.ts';
import { Metrics } from '../../src/observe/metrics.ts';
import { Views } from '../../src/views/views.ts';

const anomaly = (n: number): Anomaly => ({
  id: `BTCUSDT:market:7:${n}`,
  symbol: 'BTCUSDT',
  timestamp: 1000 + n,
  kind: 'pump',
  phase: n === 0 ? 'open' : 'escalate',
  severity: n === 0 ? 'notice' : 'warning',
  score: 0.9999,
  return_period_s: 90_000,
  direction: 'up',
  zscore: 9,
  forest: 0.6,
  actual: { buys_5s: 40 },
  expected: { buys_5s: [0, 4] },
  contributions: [{ feature: 'buys_5s', share: 1 }],
  summary: 'buyers push the price up together',
  evidence: { firstTradeId: 6, lastTradeId: 7, model: 'sha256:m', settings: 'sha256:s', detector: '1' },
});
const bar: Bar = {
  symbol: 'BTCUSDT',
  timestamp: 1000,
  open: 1,
  high: 2,
  low: 1,
  close: 2,
  volume: 3,
  quoteVolume: 5,
  trades: 2,
  takerBuyVolume: 3,
  score: 4,
  level: 5,
};

let app: FastifyInstance;
let log: EmbeddedLog;
let notReady: string | null = null;
const stop = new AbortController();
const dir = mkdtempSync(join(tmpdir(), 'tapewatch-api-'));

before(async () => {
  log = await openEmbeddedLog({ dir, now: Date.now });
  const topics = topicNames('');
  await log.ensureTopics(topicSpecs({ prefix: '', partitions: 2, retentionMs: null }));
  const views = new Views(log, topics);
  const trade = (id: number): string =>
    encodeTrade({ timeUs: 1e9 + id, symbol: 'BTCUSDT', id, price: '2.00', volume: '1', side: 'buy' });
  await log.append([
    ...[0, 1].map((n) => ({ topic: topics.anomalies, key: 'BTCUSDT', value: Buffer.from(encodeAnomaly(anomaly(n))) })),
    { topic: topics.bars, key: 'BTCUSDT', value: Buffer.from(encodeBar(bar)) },
    { topic: topics.bars, key: 'BTCUSDT', value: Buffer.from(encodeBar({ ...bar, timestamp: 2000, high: 9 })) },
    ...[5, 6, 7].map((id) => ({ topic: topics.trades, key: 'BTCUSDT', value: Buffer.from(trade(id)) })),
  ]);
  void views.run(stop.signal);
  app = await createApp({ views, metrics: new Metrics(), notReady: () => notReady, version: '0' });
  while (
    views.symbol('BTCUSDT')?.trades.length !== 3 ||
    views.anomalies({ limit: 9 }).length !== 2 ||
    views.symbol('BTCUSDT')?.bars.length !== 2
  ) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
});

after(async () => {
  stop.abort();
  await app.close();
  await log.close();
  rmSync(dir, { recursive: true });
});

async function get(url: string): Promise<{ status: number; body: Record<string, unknown>; type: string }> {
  const answer = await app.inject(url);
  return { status: answer.statusCode, body: answer.json(), type: String(answer.headers['content-type']) };
}

test('anomalies are listed newest first, filtered, and paged by cursor without a loss', async () => {
  const { body } = await get('/v1/anomalies?limit=1');
  assert.deepEqual(body['items'], [anomaly(1)]);
  const second = await get(`/v1/anomalies?limit=1&cursor=${body['nextCursor']}`);
  assert.deepEqual(second.body['items'], [anomaly(0)]);
  assert.deepEqual((await get('/v1/anomalies?severity=warning')).body['items'], [anomaly(1)]);
  assert.deepEqual((await get('/v1/anomalies?symbol=ETHUSDT')).body['items'], []);
});

test('an anomaly has its own address, and evidence with its trades and story', async () => {
  const id = encodeURIComponent(anomaly(0).id);
  assert.deepEqual((await get(`/v1/anomalies/${id}`)).body, anomaly(0));
  const { body } = await get(`/v1/anomalies/${id}/evidence`);
  assert.deepEqual(
    (body['trades'] as { id: number }[]).map((trade) => trade.id),
    [6, 7],
  );
  assert.equal((body['story'] as unknown[]).length, 2);
});

test('bars are gathered into the interval asked for', async () => {
  const { body } = await get('/v1/bars?symbol=BTCUSDT&interval=5');
  assert.deepEqual(body['items'], [
    { ...bar, timestamp: 0, high: 9, volume: 6, quoteVolume: 10, trades: 4, takerBuyVolume: 6 },
  ]);
});

test('trades are read on from an id', async () => {
  const { body } = await get('/v1/trades?symbol=BTCUSDT&fromId=6');
  assert.deepEqual(
    (body['items'] as { id: number }[]).map(({ id }) => id),
    [6, 7],
  );
});

test('errors are problem+json that say what is wrong', async () => {
  for (const [url, status] of [
    ['/v1/anomalies/nothing', 404],
    ['/v1/bars?symbol=NOTHERE', 404],
    ['/v1/anomalies?limit=0', 400],
    ['/v1/bars', 400],
    ['/nowhere', 404],
  ] as const) {
    const answer = await get(url);
    assert.equal(answer.status, status, url);
    assert.match(answer.type, /^application\/problem\+json/);
    assert.equal(answer.body['status'], status);
    assert.ok(answer.body['detail']);
  }
});

test('readiness follows the detector; liveness does not', async () => {
  notReady = 'State is being restored.';
  assert.equal((await get('/readyz')).status, 503);
  assert.equal((await get('/healthz')).status, 200);
  notReady = null;
  assert.equal((await get('/readyz')).status, 200);
});

test('the document describes every route, and metrics count requests by route', async () => {
  const { body } = await get('/openapi.json');
  assert.equal(body['openapi'], '3.1.0');
  assert.ok(Object.keys(body['paths'] as object).includes('/v1/anomalies/{id}/evidence'));
  const metrics = await app.inject('/metrics');
  assert.match(
    metrics.body,
    /tapewatch_http_request_duration_seconds_count\{method="GET",route="\/v1\/bars",status="404"\} 1/,
  );
});

test('a stream resumes after the anomaly a client saw last', async () => {
  await app.listen({ port: 0 });
  const { port } = app.server.address() as AddressInfo;
  const abort = new AbortController();
  const stream = await fetch(`http://127.0.0.1:${port}/v1/stream`, {
    headers: { 'last-event-id': '0' },
    signal: abort.signal,
  });
  let text = '';
  for await (const chunk of stream.body!.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    if (text.includes('event: anomaly')) break;
  }
  abort.abort();
  assert.match(text, /id: 1\nevent: anomaly\ndata: \{"id":"BTCUSDT:market:7:1"/);
  assert.ok(!text.includes('market:7:0'));
});

test('a stream of trades is bounded: of a burst the newest come, the last of them last', async () => {
  const { port } = app.server.address() as AddressInfo;
  const abort = new AbortController();
  const stream = await fetch(`http://127.0.0.1:${port}/v1/stream?symbol=BTCUSDT`, { signal: abort.signal });
  const burst = Array.from({ length: 400 }, (_, i) => {
    const trade = { timeUs: 2e9 + i, symbol: 'BTCUSDT', id: 100 + i, price: '2.00', volume: '1', side: 'buy' as const };
    return { topic: topicNames('').trades, key: 'BTCUSDT', value: Buffer.from(encodeTrade(trade)) };
  });
  await log.append(burst);
  let text = '';
  for await (const chunk of stream.body!.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    if (text.includes('"id":499,')) break;
  }
  abort.abort();
  const ids = [...text.matchAll(/event: trade\ndata: .*"id":(\d+),/g)].map(([, id]) => Number(id));
  assert.equal(ids.at(-1), 499);
  assert.ok(ids.length < 400, 'every trade of a burst came');
  assert.deepEqual(
    ids,
    [...ids].sort((a, b) => a - b),
  );
});
