/** Streams under load: many clients, one that does not read, and a client that goes on at another replica. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { FastifyInstance } from 'fastify';
import { createApp } from '../../src/api/app.ts';
import { type EmbeddedLog, openEmbeddedLog } from '../../src/event-log/embedded/embedded-log.ts';
import { topicNames, topicSpecs } from '../../src/event-log/topics.ts';
import { encodeAnomaly } from '../../src/market/codec.ts';
import { Metrics } from '../../src/observe/metrics.ts';
import { Views } from '../../src/views/views.ts';
import { specimen } from '../contract/notifier.ts';

const CLIENTS = 1000;
const topics = topicNames('');
const dir = mkdtempSync(join(tmpdir(), 'tapewatch-stream-'));
const stop = new AbortController();
const [metrics, others] = [new Metrics(), new Metrics()];
let log: EmbeddedLog;
let replicas: FastifyInstance[];
let ports: number[];
let written = 0;

before(async () => {
  log = await openEmbeddedLog({ dir, now: Date.now });
  await log.ensureTopics(topicSpecs({ prefix: '', partitions: 1, retentionMs: null }));
  replicas = await Promise.all(
    [metrics, others].map(async (its) => {
      const views = new Views(log, topics);
      views.run(stop.signal).catch(() => undefined);
      const app = await createApp({ views, metrics: its, notReady: () => null, version: '0' });
      await app.listen({ port: 0, host: '127.0.0.1' });
      return app;
    }),
  );
  ports = replicas.map((app) => (app.server.address() as AddressInfo).port);
});

after(async () => {
  stop.abort();
  await Promise.all(replicas.map((app) => app.close()));
  await log.close();
  rmSync(dir, { recursive: true });
});

async function writeAnomalies(count: number, summary = 'x'): Promise<void> {
  const records = Array.from({ length: count }, () => {
    const anomaly = { ...specimen, id: `BTCUSDT:market:1:${written++}`, summary };
    return { topic: topics.anomalies, key: 'BTCUSDT', value: Buffer.from(encodeAnomaly(anomaly)) };
  });
  await log.append(records);
}

/** A client as bytes on a socket; `ids` grows with the anomalies that came. */
async function client(port: number, last?: number): Promise<{ socket: Socket; ids: number[] }> {
  const socket = connect(port, '127.0.0.1');
  const ids: number[] = [];
  let rest = '';
  const head = last === undefined ? '' : `Last-Event-ID: ${last}\r\n`;
  socket.write(`GET /v1/stream HTTP/1.1\r\nHost: x\r\n${head}\r\n`);
  const opened = once(socket, 'data');
  socket.setEncoding('latin1').on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop()!;
    for (const line of lines) if (line.startsWith('id: ')) ids.push(Number(line.slice(4)));
  });
  socket.on('error', () => undefined);
  await opened;
  return { socket, ids };
}

async function until(what: string, done: () => boolean): Promise<void> {
  for (let i = 0; i < 3000 && !done(); i++) await new Promise((resolve) => setTimeout(resolve, 10));
  assert.ok(done(), what);
}

test('a thousand clients each get every anomaly, and one that does not read is dropped without harm to them', async () => {
  const clients: Awaited<ReturnType<typeof client>>[] = [];
  for (let i = 0; i < CLIENTS; i += 100)
    clients.push(...(await Promise.all(Array.from({ length: 100 }, () => client(ports[0]!)))));
  const idle = await client(ports[0]!);
  idle.socket.pause();
  await writeAnomalies(20);
  await until('all got all', () => clients.every(({ ids }) => ids.length === 20));
  for (const { socket } of clients.slice(10)) socket.destroy();
  let isDropped = false;
  const inFlight = async (): Promise<number> => (await metrics.httpInFlight.get()).values[0]!.value;
  // Well beyond what the system's own buffers hold for it.
  for (let i = 0; i < 600 && !isDropped; i++) {
    await writeAnomalies(1, 'x'.repeat(100_000));
    // They share this process with the server: more at once would find them not reading either.
    await until('the others got all', () => clients.slice(0, 10).every(({ ids }) => ids.length === written));
    isDropped = (await inFlight()) === 10;
  }
  assert.ok(isDropped, 'who does not read still has its stream');
  for (const { socket } of [idle, ...clients]) socket.destroy();
});

test('a client that goes on at another replica gets what followed, once and in order', async () => {
  const first = await client(ports[0]!);
  await writeAnomalies(30);
  await until('some came', () => first.ids.length >= 30);
  first.socket.destroy();
  const last = first.ids[9]!;
  const second = await client(ports[1]!, last);
  await writeAnomalies(5);
  await until('the rest came', () => second.ids.at(-1) === written - 1);
  assert.deepEqual(
    second.ids,
    Array.from({ length: written - 1 - last }, (_, i) => last + 1 + i),
  );
  second.socket.destroy();
});

test('a server that stops ends its streams in order and finishes the request it has', async () => {
  const [, app] = replicas;
  const stream = await client(ports[1]!);
  const body = JSON.stringify({ trades: 7 });
  const socket = connect(ports[1]!, '127.0.0.1').setEncoding('latin1');
  let answer = '';
  socket.on('data', (chunk: string) => {
    answer += chunk;
  });
  socket.write(`POST /v1/nothing HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n`);
  socket.write(`Content-Length: ${body.length}\r\n\r\n${body.slice(0, 3)}`);
  for (let i = 0; i < 500 && (await others.httpInFlight.get()).values[0]!.value < 2; i++)
    await new Promise((resolve) => setTimeout(resolve, 10));
  const ended = once(stream.socket, 'end');
  const closed = app!.close();
  await ended;
  socket.write(body.slice(3));
  await once(socket, 'end');
  assert.match(answer, /^HTTP\/1.1 404 .*application\/problem\+json/s);
  await closed;
});
