/** What people say is kept, and only those who may can say it: another site's page could otherwise silence alerts. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { FastifyInstance } from 'fastify';
import { createApp } from '../../src/api/app.ts';
import { type EmbeddedLog, openEmbeddedLog } from '../../src/event-log/embedded/embedded-log.ts';
import { topicNames, topicSpecs } from '../../src/event-log/topics.ts';
import { decodeTapeRecord, encodeAnomaly } from '../../src/market/codec.ts';
import { partitionOf } from '../../src/market/partition.ts';
import { Metrics } from '../../src/observe/metrics.ts';
import { Views } from '../../src/views/views.ts';
import { specimen } from '../contract/notifier.ts';

const topics = topicNames('');
const dir = mkdtempSync(join(tmpdir(), 'tapewatch-write-'));
const stop = new AbortController();
const url = `/v1/anomalies/${encodeURIComponent(specimen.id)}`;
const INCIDENT = 'BTCUSDT:market:7';
const LOCAL = { host: 'localhost:8080' };
let log: EmbeddedLog;
let views: Views;
const running: Promise<void>[] = [];

before(async () => {
  log = await openEmbeddedLog({ dir, now: Date.now });
  await log.ensureTopics(topicSpecs({ prefix: '', partitions: 2, retentionMs: null }));
  await log.append([{ topic: topics.anomalies, key: 'BTCUSDT', value: Buffer.from(encodeAnomaly(specimen)) }]);
  views = new Views(log, topics);
  running.push(views.run(stop.signal));
  while (!views.anomaly(specimen.id)) await new Promise((resolve) => setTimeout(resolve, 5));
});

after(async () => {
  stop.abort();
  await Promise.allSettled(running);
  await log.close();
  rmSync(dir, { recursive: true });
});

async function using(token: string, use: (app: FastifyInstance) => Promise<void>): Promise<void> {
  const write = { log, topics, token };
  const app = await createApp({ views, metrics: new Metrics(), notReady: () => null, version: '0', write });
  try {
    await use(app);
  } finally {
    await app.close();
  }
}

async function post(app: FastifyInstance, path: string, headers: Record<string, string>, payload: object = {}) {
  return app.inject({ method: 'POST', url: `${url}/${path}`, headers, payload });
}

test('without a token this computer may write, and nobody else: not another name for it, not another site', async () => {
  await using('', async (app) => {
    assert.equal((await post(app, 'acknowledge', LOCAL)).statusCode, 200);
    assert.equal((await post(app, 'acknowledge', { ...LOCAL, 'sec-fetch-site': 'same-origin' })).statusCode, 200);
    assert.equal((await post(app, 'acknowledge', { host: 'rebound.example' })).statusCode, 403);
    assert.equal((await post(app, 'acknowledge', { ...LOCAL, 'sec-fetch-site': 'cross-site' })).statusCode, 403);
    const elsewhere = { method: 'POST', url: `${url}/acknowledge`, headers: LOCAL, remoteAddress: '10.0.0.9' } as const;
    assert.equal((await app.inject(elsewhere)).statusCode, 403);
  });
});

test('with a token only who knows it may write, wherever from', async () => {
  await using('a token', async (app) => {
    const refused = await post(app, 'acknowledge', LOCAL);
    assert.equal(refused.statusCode, 401);
    assert.equal(refused.headers['www-authenticate'], 'Bearer');
    assert.equal((await post(app, 'acknowledge', { ...LOCAL, authorization: 'Bearer a tokem' })).statusCode, 401);
    const headers = { host: 'tapewatch.example', authorization: 'Bearer a token' };
    assert.equal((await post(app, 'acknowledge', headers)).statusCode, 200);
  });
});

test('a verdict stands with its incident, on the tape of its symbol, and is there after a restart', async () => {
  await using('', async (app) => {
    assert.equal((await post(app, 'feedback', LOCAL, { verdict: 'dull' })).statusCode, 400);
    const { timestamp, ...said } = (await post(app, 'feedback', LOCAL, { verdict: 'not_interesting' })).json();
    assert.deepEqual(said, { incident: INCIDENT, acknowledged: true, verdict: 'not_interesting' });
    const { records } = await log.read(topics.trades, partitionOf('BTCUSDT', 2), 0);
    assert.deepEqual(decodeTapeRecord(records.at(-1)!.value!), {
      type: 'feedback',
      symbol: 'BTCUSDT',
      timestamp,
      anomaly: specimen.id,
      kind: 'volume_burst',
      verdict: 'not_interesting',
    });
  });
  const again = new Views(log, topics);
  running.push(again.run(stop.signal));
  for (let i = 0; i < 400 && again.annotation(INCIDENT)?.verdict == null; i++)
    await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(again.annotation(INCIDENT)?.verdict, 'not_interesting');
});
