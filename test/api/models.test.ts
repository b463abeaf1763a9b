/** Models change while everything runs: or a new one would need a restart, and a bad one could not be taken back. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { FastifyInstance } from 'fastify';
import { IsolationForest } from 'tapewatch/forest';
import { createApp } from '../../src/api/app.ts';
import { putInForce } from '../../src/commands/activation.ts';
import { policyOf } from '../../src/commands/policy.ts';
import { serving, withoutModel } from '../../src/commands/serving.ts';
import { FEATURES } from '../../src/detection/surprise/vector.ts';
import { type EmbeddedLog, openEmbeddedLog } from '../../src/event-log/embedded/embedded-log.ts';
import { topicNames, topicSpecs } from '../../src/event-log/topics.ts';
import { decodeTapeRecord, encodeBar, encodeTrade } from '../../src/market/codec.ts';
import { Random } from '../../src/market/random.ts';
import { DEFAULT_MODEL, sha256 } from '../../src/model/artefact-file.ts';
import { ModelRegistry } from '../../src/model/registry.ts';
import { modelFromOnnx } from '../../src/model/scoring-model.ts';
import { Metrics } from '../../src/observe/metrics.ts';
import { Views } from '../../src/views/views.ts';

const PARTITIONS = 2;
const START_MS = 1.76e12;
const topics = topicNames('');
const dir = mkdtempSync(join(tmpdir(), 'tapewatch-models-'));
const stop = new AbortController();
const shipped = readFileSync(DEFAULT_MODEL, 'utf8');
/** Another model to the registry: other bytes. */
const other = `${shipped.trimEnd()} \n`;
let app: FastifyInstance;
let log: EmbeddedLog;
const metrics = new Metrics();

before(async () => {
  log = await openEmbeddedLog({ dir, now: Date.now });
  await log.ensureTopics(topicSpecs({ prefix: '', partitions: PARTITIONS, retentionMs: null }));
  const { policy, registry } = await putInForce(log, topics, {});
  const views = new Views(log, topics);
  const models = serving({ log, topics, registry, policy, views, metrics });
  for (const running of [views.run(stop.signal), models.run(stop.signal)]) running.catch(() => undefined);
  const write = { log, topics, token: 'a token' };
  app = await createApp({ views, metrics, notReady: () => null, version: '0', write, models });
  await eventTime(START_MS);
});

after(async () => {
  stop.abort();
  await app.close();
  await log.close();
  rmSync(dir, { recursive: true });
});

/** A trade and its bar at `ms`. */
async function eventTime(ms: number): Promise<void> {
  const symbol = 'BTCUSDT';
  const trade = encodeTrade({ timeUs: ms * 1000, symbol, id: ms - START_MS, price: '1', volume: '1', side: 'buy' });
  const [price, zeros] = [
    { open: 1, high: 1, low: 1, close: 1 },
    { takerBuyVolume: 0, score: 0, level: 9 },
  ];
  const bar = encodeBar({ symbol, timestamp: ms, ...price, volume: 1, quoteVolume: 1, trades: 1, ...zeros });
  await log.append([
    { topic: topics.trades, key: symbol, value: Buffer.from(trade) },
    { topic: topics.bars, key: symbol, value: Buffer.from(bar) },
  ]);
}

const headers = { authorization: 'Bearer a token', 'content-type': 'application/json' };
const put = (name: string, payload: string) =>
  app.inject({ method: 'PUT', url: `/v1/models/${name}`, headers, payload });
const activate = (name: string, payload: object) =>
  app.inject({ method: 'POST', url: `/v1/models/${name}/activate`, headers, payload });
const get = async (url: string) => (await app.inject(url)).json();

async function until(model: string): Promise<void> {
  for (let i = 0; i < 600; i++) {
    if ((await get('/readyz')).model === model) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  assert.fail(`${model} does not come into force`);
}

test('the shipped model is in force, with its provenance', async () => {
  const { active, items } = await get('/v1/models');
  assert.equal(active.model, sha256(shipped));
  assert.deepEqual([active.name, active.version], ['default', 1]);
  assert.deepEqual(items[0].versions[0].provenance, JSON.parse(shipped).provenance);
  assert.equal((await app.inject('/v1/models/nothing')).statusCode, 404);
});

test('an upload is kept byte for byte as the next version, and only from who may write', async () => {
  const url = '/v1/models/mine';
  const stranger = await app.inject({
    method: 'PUT',
    url,
    payload: other,
    headers: { 'content-type': headers['content-type'] },
  });
  assert.equal(stranger.statusCode, 401);
  assert.deepEqual((await put('mine', shipped)).json(), { name: 'mine', version: 1, model: sha256(shipped) });
  assert.deepEqual((await put('mine', other)).json(), { name: 'mine', version: 2, model: sha256(other) });
  assert.deepEqual((await put('mine', other)).json(), { name: 'mine', version: 2, model: sha256(other) });
  const wrong = await put('mine', JSON.stringify({ ...JSON.parse(shipped), features: ['colour'] }));
  assert.equal(wrong.statusCode, 400);
  assert.match(wrong.json().detail, /features are not those of this detector/);
  assert.equal((await put('mine', 'no JSON')).statusCode, 400);
  assert.equal((await get(url)).versions.length, 2);
});

test('an activation stands in every partition, counts from its event time on, and is taken back the same way', async () => {
  const asked = await activate('mine', { settings: { budget: 7 } });
  assert.equal(asked.statusCode, 200, asked.body);
  const { model, from, settings } = asked.json();
  assert.deepEqual([model, settings.budget], [sha256(other), 7]);
  assert.ok(from > START_MS);
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const { records } = await log.read(topics.trades, partition, 0);
    assert.deepEqual(decodeTapeRecord(records.at(-1)!.value!), { type: 'activate', model, settings, from });
  }
  assert.equal((await get('/readyz')).model, sha256(shipped), 'event time has not come to it');
  await eventTime(from);
  await until(sha256(other));
  assert.match(await metrics.registry.metrics(), new RegExp(`model_info.*${sha256(other)}"} 1`));
  const { active } = await get('/v1/models');
  assert.deepEqual([active.name, active.version, active.settings.budget], ['mine', 2, 7]);
  const row = Object.fromEntries(FEATURES.map((name) => [name, 1]));
  const scored = await app.inject({ method: 'POST', url: '/v1/score', payload: { rows: [row] } });
  assert.equal(scored.json().model, sha256(other), 'rows are scored by what is in force');
  const rows = { name: 'rows', shape: [1, FEATURES.length], datatype: 'FP64', data: FEATURES.map(() => 1) };
  const inferred = await app.inject({ method: 'POST', url: '/v2/models/active/infer', payload: { inputs: [rows] } });
  assert.equal(inferred.json().model_version, sha256(other));
  const { versions } = await get('/v2/models/active');
  assert.deepEqual(versions, [sha256(other)], 'metadata tells the version that infer answers with');
  assert.deepEqual((await get('/v2/models/mine')).versions, ['1', '2']);

  const back = (await activate('mine', { version: 1 })).json();
  assert.equal(back.settings.budget, 7, 'settings that are not asked for stay');
  await eventTime(back.from);
  await until(sha256(shipped));
});

test('what can not be put in force is refused in words, and nothing is written', async () => {
  const { end } = await log.bounds(topics.trades, 0);
  const rows = Float32Array.from(
    { length: 300 },
    (
      (random) => () =>
        random.next()
    )(new Random(1)),
  );
  const forest = IsolationForest.fit(rows, { features: 3, trees: 5 });
  assert.equal((await put('small', modelFromOnnx(forest.toONNX(), 'a test', ['a', 'b', 'c']))).statusCode, 200);
  assert.match((await activate('small', {})).json().detail, /a forest for scoring rows/);
  assert.equal((await activate('mine', { version: 9 })).statusCode, 404);
  assert.equal((await activate('mine', { settings: { budget: -1 } })).statusCode, 400);
  assert.equal((await activate('mine', { settings: { rules: [{ colour: 1 }] } })).statusCode, 400);
  assert.equal((await log.bounds(topics.trades, 0)).end, end);
});

test('a replica that starts later is not ready before it serves what is in force', async () => {
  const registry = new ModelRegistry(log, topics.models);
  const views = new Views(log, topics);
  const late = serving({ log, topics, registry, policy: policyOf({}), views, metrics: new Metrics() });
  assert.match(withoutModel(late)!, /being looked up/);
  const running = late.run(stop.signal).catch(() => undefined);
  for (let i = 0; i < 600 && withoutModel(late) !== null; i++) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.equal(withoutModel(late), null);
  assert.equal(late.policy.settings.budget, 7);
  stop.abort();
  await running;
});
