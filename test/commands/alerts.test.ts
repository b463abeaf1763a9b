/** `alerts --follow` stays open all day: over a restart of the server it must lose no alert and show none twice. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createApp } from '../../src/api/app.ts';
import { openEmbeddedLog } from '../../src/event-log/embedded/embedded-log.ts';
import { topicNames, topicSpecs } from '../../src/event-log/topics.ts';
import { encodeAnomaly } from '../../src/market/codec.ts';
import { Metrics } from '../../src/observe/metrics.ts';
import { Views } from '../../src/views/views.ts';
import { specimen } from '../contract/notifier.ts';

const BIN = fileURLToPath(new URL('../../bin/tapewatch.js', import.meta.url));
const topics = topicNames('');

test('a restart of the server is said, and what happened meanwhile is shown, each alert once', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'tapewatch-alerts-'));
  const log = await openEmbeddedLog({ dir, now: Date.now });
  await log.ensureTopics(topicSpecs({ prefix: '', partitions: 1, retentionMs: null }));
  const stop = new AbortController();
  const running: Promise<void>[] = [];
  const write = async (symbol: string): Promise<void> => {
    const anomaly = { ...specimen, id: `${symbol}:market:1:0`, symbol };
    await log.append([{ topic: topics.anomalies, key: symbol, value: Buffer.from(encodeAnomaly(anomaly)) }]);
  };
  const serveAt = async (port: number) => {
    const views = new Views(log, topics);
    running.push(views.run(stop.signal));
    const app = await createApp({ views, metrics: new Metrics(), notReady: () => null, version: '0' });
    await app.listen({ port, host: '127.0.0.1' });
    return app;
  };
  await write('FIRSTUSDT');
  const before = await serveAt(0);
  const { port } = before.server.address() as AddressInfo;
  const child = spawn(process.execPath, [BIN, 'alerts', '--follow', '--server', `http://127.0.0.1:${port}`]);
  let [out, err] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text;
  });
  const until = async (done: () => boolean): Promise<void> => {
    for (let i = 0; i < 3000 && !done(); i++) await new Promise((resolve) => setTimeout(resolve, 10));
    assert.ok(done(), `stdout:\n${out}\nstderr:\n${err}`);
  };
  try {
    await until(() => out.includes('FIRSTUSDT'));
    await write('SECONDUSDT');
    await until(() => out.includes('SECONDUSDT'));
    await before.close();
    await until(() => err.includes('is gone'));
    await write('MISSEDUSDT');
    const after = await serveAt(port);
    await until(() => err.includes('is back') && out.includes('MISSEDUSDT'));
    await write('LASTUSDT');
    await until(() => out.includes('LASTUSDT'));
    await after.close();
    const symbols = out.match(/[A-Z]+USDT/g);
    assert.deepEqual(symbols, ['FIRSTUSDT', 'SECONDUSDT', 'MISSEDUSDT', 'LASTUSDT']);
    assert.ok(!out.includes('\u001b'), 'colours in a pipe');
  } finally {
    child.kill();
    stop.abort();
    await Promise.allSettled(running);
    await log.close();
    rmSync(dir, { recursive: true });
  }
});
