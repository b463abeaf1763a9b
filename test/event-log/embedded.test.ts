import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { openEmbeddedLog } from '../../src/event-log/embedded/embedded-log.ts';
import type { LogRecord } from '../../src/event-log/event-log.ts';
import { eventLogContract } from '../contract/event-log.ts';

const folder = (): string => mkdtempSync(join(tmpdir(), 'tapewatch-log-'));

eventLogContract('embedded log', async () => {
  const dir = folder();
  let log = await openEmbeddedLog({ dir, now: Date.now });
  return {
    log,
    async reopen() {
      await log.close();
      log = await openEmbeddedLog({ dir, now: Date.now });
      return log;
    },
    async dispose() {
      await log.close();
      rmSync(dir, { recursive: true });
    },
  };
});

test('what is older than its topic keeps is dropped, and only that', async () => {
  const dir = folder();
  let now = 1000;
  const log = await openEmbeddedLog({ dir, now: () => now });
  await log.ensureTopics([{ name: 't', partitions: 1, cleanup: 'delete', retentionMs: 500 }]);
  await log.append([{ topic: 't', key: null, value: Buffer.from('old') }]);
  now = 1400;
  await log.append([{ topic: 't', key: null, value: Buffer.from('young') }]);
  now = 1600;
  await log.applyRetention();
  const { records } = await log.read('t', 0, 0);
  assert.deepEqual(
    records.map(({ value }) => String(value)),
    ['young'],
  );
  assert.equal((await log.bounds('t', 0)).first, 1);
  await log.close();
});

test('a folder in use and a folder that is damaged are told apart, with what to do', async () => {
  const dir = folder();
  const holder = spawn('sleep', ['30']);
  writeFileSync(join(dir, 'owner.pid'), String(holder.pid));
  await assert.rejects(openEmbeddedLog({ dir, now: Date.now }), /in use by process \d+\. Stop it/);
  holder.kill('SIGKILL');
  await once(holder, 'exit');
  writeFileSync(join(dir, 'log'), 'this is no database');
  await assert.rejects(openEmbeddedLog({ dir, now: Date.now }), { code: 'log_corrupt', message: /Move it away/ });
});

test('a damaged database is met by a reader that may die of it, and told in a sentence', async () => {
  const dir = folder();
  const log = await openEmbeddedLog({ dir, now: Date.now });
  await log.ensureTopics([{ name: 't', partitions: 1, cleanup: 'delete', retentionMs: null }]);
  for (let i = 0; i < 20; i++)
    await log.append(Array.from({ length: 500 }, () => ({ topic: 't', key: null, value: Buffer.alloc(100, i) })));
  await log.close();
  const sound = readFileSync(`${dir}/log/data.mdb`);
  const damaged: readonly Buffer[] = [
    sound.subarray(0, 4096),
    sound.subarray(0, sound.length >> 1),
    Buffer.concat([Buffer.alloc(8192), sound.subarray(8192)]),
    Buffer.from(sound.map((byte, i) => (i > 20_000 && i < 600_000 ? (byte + i * 7) % 251 : byte))),
  ];
  for (const bytes of damaged) {
    writeFileSync(`${dir}/log/data.mdb`, bytes);
    await assert.rejects(openEmbeddedLog({ dir, now: Date.now }), { code: 'log_corrupt', message: /Move it away/ });
  }
  writeFileSync(`${dir}/log/data.mdb`, sound);
  await (await openEmbeddedLog({ dir, now: Date.now })).close();
  rmSync(dir, { recursive: true });
});

const WRITER = `
import { openEmbeddedLog } from '${new URL('../../src/event-log/embedded/embedded-log.ts', import.meta.url).href}';
const log = await openEmbeddedLog({ dir: process.argv[1], now: Date.now });
await log.ensureTopics([{ name: 't', partitions: 1, cleanup: 'delete', retentionMs: null }]);
let { end } = await log.bounds('t', 0);
for (;;) {
  const batch = Array.from({ length: 50 }, (_, i) => ({ topic: 't', key: null, value: Buffer.from(String(end + i)) }));
  await log.append(batch);
  end += batch.length;
  process.stdout.write(end + '\\n');
}`;

test('kill -9 at any moment loses no acknowledged record and leaves none torn', async () => {
  const dir = folder();
  let acknowledged = 0;
  for (let round = 0; round < 4; round++) {
    const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', WRITER, dir], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const exited = once(child, 'exit');
    let killing = false;
    for await (const line of createInterface({ input: child.stdout })) {
      acknowledged = Number(line);
      if (!killing) setTimeout(() => child.kill('SIGKILL'), 40 + round * 35);
      killing = true;
    }
    await exited;
  }
  const log = await openEmbeddedLog({ dir, now: Date.now });
  const records: LogRecord[] = [];
  for (let from = 0; ; ) {
    const { records: more, next } = await log.read('t', 0, from);
    if (more.length === 0) break;
    records.push(...more);
    from = next;
  }
  assert.ok(acknowledged > 0 && records.length >= acknowledged);
  assert.equal(records.length % 50, 0);
  for (const [i, record] of records.entries()) assert.deepEqual([record.offset, String(record.value)], [i, String(i)]);
  await log.close();
});
