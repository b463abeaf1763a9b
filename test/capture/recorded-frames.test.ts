/** Frames as the exchange sent them, served by a plain WebSocket server, pass capture unchanged, trade by trade. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { WebSocketServer } from 'ws';
import { startCapture } from '../../src/capture/capture.ts';
import { openEmbeddedLog } from '../../src/event-log/embedded/embedded-log.ts';
import { topicNames, topicSpecs } from '../../src/event-log/topics.ts';
import { createNetworkTransport } from '../../src/transport/network.ts';
import { DATA, WITHOUT_DATA } from '../real-data.ts';

interface Recorded {
  readonly s: string;
  readonly t: number;
  readonly p: string;
  readonly q: string;
  readonly T: number;
  readonly m: boolean;
}

const TRADES = [
  'spot_btcusdt_20230405.dat.gz',
  'spot_btcusdt_20240808.gz',
  'spot_btcusdt_20240809.gz',
  'spot_ethusdt_20240808.gz',
  'spot_ethusdt_20240809.gz',
];
/** Sessions with aggTrade and other streams, but no trade: a tape is of one feed, so nothing of them is one. */
const NO_TRADES = ['BINANCE.ws.1.0.gz', 'BINANCE_US.ws.1.0.gz'];

for (const file of [...TRADES, ...NO_TRADES]) {
  test(`the frames of ${file}`, { skip: WITHOUT_DATA }, async () => {
    const lines = gunzipSync(readFileSync(`${DATA}ws-raw/${file}`))
      .toString()
      .trim()
      .split('\n');
    const frames = lines.filter((line) => line.includes('{')).map((line) => line.slice(line.indexOf('{')));
    const expected = frames
      .map((frame) => JSON.parse(frame) as { data?: Recorded & { e?: string } } & Recorded & { e?: string })
      .map((message) => message.data ?? message)
      .filter(({ e }) => e === 'trade');
    const server = new WebSocketServer({ port: 0 });
    server.on('connection', (socket) => {
      for (const frame of frames) socket.send(frame);
    });
    const dir = mkdtempSync(join(tmpdir(), 'tapewatch-frames-'));
    const log = await openEmbeddedLog({ dir, now: Date.now });
    const topics = topicNames('');
    await log.ensureTopics(topicSpecs({ prefix: '', partitions: 1, retentionMs: null }));
    const transport = createNetworkTransport();
    const capture = await startCapture({
      transport,
      log,
      symbols: [expected[0]?.s ?? 'NKNUSDT'],
      wsEndpoints: [`ws://127.0.0.1:${(server.address() as AddressInfo).port}`],
      restEndpoints: ['http://127.0.0.1:9'],
      tradesTopic: topics.trades,
      deadLetters: topics.deadLetters,
      history_s: 0,
      repairLimit: 1000,
      events: {},
    });
    const seen: string[] = [];
    const enough = expected.length === 0 ? 4 : 20;
    for (let from = 0, idle = 0; (seen.length < expected.length || expected.length === 0) && idle < enough; ) {
      const { records, next } = await log.read(topics.trades, 0, from, { waitMs: 250 });
      idle = records.length === 0 ? idle + 1 : 0;
      for (const { value } of records) if (!String(value).includes('"type"')) seen.push(String(value));
      from = next;
    }
    const wanted = expected.map(({ s, t, p, q, T, m }) => {
      const time = T > 1e14 ? T / 1000 : T;
      return `{"timestamp":${time},"symbol":"${s}","id":${t},"price":${p},"volume":${q},"side":"${m ? 'sell' : 'buy'}"}`;
    });
    assert.equal(wanted.length > 100, TRADES.includes(file));
    assert.deepEqual(seen, wanted);
    assert.deepEqual((await log.read(topics.deadLetters, 0, 0)).records, [], 'every frame was understood');
    await capture.stop();
    await transport.close();
    await log.close();
    for (const client of server.clients) client.terminate();
    server.close();
    await once(server, 'close');
    rmSync(dir, { recursive: true });
  });
}
