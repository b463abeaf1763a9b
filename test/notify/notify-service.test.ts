/** Who is told what, and that a restart, a failing service or a refusal loses nothing. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { type EmbeddedLog, openEmbeddedLog } from '../../src/event-log/embedded/embedded-log.ts';
import { topicNames, topicSpecs } from '../../src/event-log/topics.ts';
import { encodeAnomaly } from '../../src/market/codec.ts';
import type { Anomaly, Phase, Severity } from '../../src/market/records.ts';
import { readConfig, type Sink } from '../../src/notify/config.ts';
import { NotifyService } from '../../src/notify/notify-service.ts';
import { isQuiet } from '../../src/notify/rules.ts';
import { type Answer, type Got, serve, specimen } from '../contract/notifier.ts';

const topics = topicNames('');
let log: EmbeddedLog;
let dir: string;
let got: Got[];
let answer: Answer;
let url: string;
let close: () => void;

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'tapewatch-notify-'));
  log = await openEmbeddedLog({ dir, now: Date.now });
  await log.ensureTopics(topicSpecs({ prefix: '', partitions: 2, retentionMs: null }));
  answer = { status: 200 };
  const served = await serve(() => answer);
  ({ got, url } = served);
  close = () => served.server.close();
});

afterEach(async () => {
  close();
  await log.close();
  rmSync(dir, { recursive: true });
});

const record = (anchor: number, n: number, phase: Phase, severity: Severity, symbol = 'BTCUSDT'): Anomaly => ({
  ...specimen,
  id: `${symbol}:market:${anchor}:${n}`,
  symbol,
  phase,
  severity,
});

async function append(...anomalies: Anomaly[]): Promise<void> {
  await log.append(
    anomalies.map((anomaly) => ({
      topic: topics.anomalies,
      key: anomaly.symbol,
      value: Buffer.from(encodeAnomaly(anomaly)),
      partition: 0,
    })),
  );
}

function sinkOf(rules: object = {}): Sink {
  const text = JSON.stringify({ sinks: [{ name: 'desk', type: 'webhook', url, ...rules }] });
  return readConfig(text, 'test.json', () => undefined).sinks[0]!;
}

interface Running {
  readonly slept: number[];
  readonly failures: string[];
  stop(): Promise<void>;
}

/** The service on a clock that never waits but says how long it would have. */
function run(sink: Sink, now = specimen.timestamp + 1000): Running {
  const abort = new AbortController();
  const slept: number[] = [];
  const failures: string[] = [];
  const service = new NotifyService({
    log,
    topics,
    sink,
    page: 'https://page.example',
    clock: {
      now: () => now,
      random: () => 0.5,
      sleep: async (ms, signal) => {
        slept.push(ms);
        await new Promise((resolve) => setTimeout(resolve, 2));
        signal?.throwIfAborted();
      },
    },
    events: { failing: (_, reason) => failures.push(reason), refused: (_, { id }) => failures.push(id) },
  });
  const running = service.run(abort.signal).catch((error: unknown) => {
    if (!abort.signal.aborted) throw error;
  });
  return {
    slept,
    failures,
    stop: async () => {
      abort.abort();
      await running;
    },
  };
}

const ids = (): string[] => got.map(({ headers }) => String(headers['webhook-id']));

async function until(done: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 2000 && !(await done()); i++) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.ok(await done(), `only ${ids().join(', ')} came`);
}

const begun = async (): Promise<boolean> => (await log.committed('notify.desk', topics.anomalies, 0)) !== null;

/** All is told and the cursor has moved on: what is only sent may come twice. */
const caughtUp = async (): Promise<boolean> =>
  (await log.committed('notify.desk', topics.anomalies, 0)) === (await log.bounds(topics.anomalies, 0)).end;

test('an incident is told when it opens, grows and ends, and not in between; history is not told', async () => {
  await append(record(1, 0, 'open', 'critical'));
  const service = run(sinkOf());
  await until(begun);
  await append(
    record(1, 1, 'close', 'critical'),
    record(2, 0, 'open', 'notice'),
    record(2, 1, 'update', 'notice'),
    record(2, 2, 'escalate', 'warning'),
    record(2, 3, 'close', 'warning'),
  );
  await until(() => got.length === 3);
  await service.stop();
  assert.deepEqual(ids(), ['BTCUSDT:market:2:0', 'BTCUSDT:market:2:2', 'BTCUSDT:market:2:3']);
});

test('rules: symbols and least severity; an end is told only to whom a beginning was, also over a restart', async () => {
  const sink = sinkOf({ symbols: ['BTCUSDT', 'ETHUSDT'], least_severity: 'warning' });
  const first = run(sink);
  await until(begun);
  await append(
    record(1, 0, 'open', 'notice'),
    record(2, 0, 'open', 'critical', 'DOGEUSDT'),
    record(3, 0, 'open', 'warning', 'ETHUSDT'),
  );
  await until(caughtUp);
  await first.stop();
  const second = run(sink);
  await append(
    record(1, 1, 'close', 'notice'),
    record(2, 1, 'close', 'critical', 'DOGEUSDT'),
    record(3, 1, 'close', 'warning', 'ETHUSDT'),
  );
  await until(caughtUp);
  await second.stop();
  assert.deepEqual(ids(), ['ETHUSDT:market:3:0', 'ETHUSDT:market:3:1']);
});

test('what could not be sent before a restart is sent after it, once and in order', async () => {
  const sink = sinkOf();
  const first = run(sink);
  await until(begun);
  answer = { status: 503 };
  await append(record(1, 0, 'open', 'notice'), record(2, 0, 'open', 'notice'));
  await until(() => got.length >= 3);
  await first.stop();
  await append(record(3, 0, 'open', 'notice'));
  got.length = 0;
  answer = { status: 200 };
  const second = run(sink);
  await until(caughtUp);
  await second.stop();
  assert.deepEqual(ids(), ['BTCUSDT:market:1:0', 'BTCUSDT:market:2:0', 'BTCUSDT:market:3:0']);
});

test('it waits as long as the service asks, and longer each time where it does not say', async () => {
  const service = run(sinkOf());
  await until(begun);
  answer = { status: 429, headers: { 'retry-after': '7' } };
  await append(record(1, 0, 'open', 'notice'));
  await until(() => got.length >= 2);
  assert.ok(service.slept.includes(7000));
  answer = { status: 500 };
  await until(() => got.length >= 8);
  await service.stop();
  const waits = service.slept.filter((ms) => ms >= 1000 && ms !== 7000);
  assert.ok(waits.length >= 3);
  for (const [i, ms] of waits.entries()) if (i > 0) assert.ok(ms >= waits[i - 1]!);
  assert.deepEqual([...new Set(service.failures)].length, 2, 'each reason is said once');
});

test('messages keep the pace that the service allows', async () => {
  const sink = sinkOf();
  const service = run(sink);
  await until(begun);
  await append(record(1, 0, 'open', 'notice'), record(2, 0, 'open', 'notice'));
  await until(() => got.length === 2);
  await service.stop();
  assert.ok(service.slept.includes(sink.notifier.pauseMs));
});

test('what is refused goes to the dead letters, and the next is told', async () => {
  const service = run(sinkOf());
  await until(begun);
  answer = { status: 400, body: 'no' };
  await append(record(1, 0, 'open', 'notice'));
  await until(() => service.failures.length === 1);
  answer = { status: 200 };
  await append(record(2, 0, 'open', 'notice'));
  await until(() => got.length === 2);
  await service.stop();
  const { records } = await log.read(topics.deadLetters, 0, 0);
  assert.equal(records.length, 1);
  const letter = JSON.parse(Buffer.from(records[0]!.value!).toString()) as { value: string };
  assert.equal((JSON.parse(Buffer.from(letter.value, 'base64').toString()) as Anomaly).id, 'BTCUSDT:market:1:0');
});

test('an alert over a minute old is labelled late, with a link to its page', async () => {
  const service = run(sinkOf(), specimen.timestamp + 61_000);
  await until(begun);
  await append(record(1, 0, 'open', 'notice'));
  await until(() => got.length === 1);
  await service.stop();
  const { data } = JSON.parse(got[0]!.body) as { data: { late: boolean; link: string } };
  assert.equal(data.late, true);
  assert.equal(data.link, 'https://page.example/#/anomaly/BTCUSDT%3Amarket%3A1%3A0');
});

test('quiet hours reach over midnight and follow their time zone', () => {
  const rules = { quiet_hours: ['22:00-06:30'], time_zone: 'Europe/Berlin' };
  const at = (hour: number, minute: number): number => Date.UTC(2026, 0, 5, hour, minute);
  assert.equal(isQuiet(rules, at(20, 59)), false);
  assert.equal(isQuiet(rules, at(21, 0)), true);
  assert.equal(isQuiet(rules, at(0, 0)), true);
  assert.equal(isQuiet(rules, at(5, 29)), true);
  assert.equal(isQuiet(rules, at(5, 30)), false);
});

test('a wrong file says everything that is wrong, and where', () => {
  const wrong = {
    sinks: [
      { name: 'a', type: 'slack', url_env: 'NOT_SET' },
      { name: 'b', type: 'pigeon' },
      { name: 'c', type: 'webhook', url: 'https://x.example', kinds: ['nonsense'], colour: 'red' },
      { name: 'd', type: 'webhook', url: 'https://x.example', time_zone: 'Nowhere/Here' },
    ],
  };
  assert.throws(
    () => readConfig(JSON.stringify(wrong), 'f.json', () => undefined),
    (error: Error & { code?: string }) => {
      assert.equal(error.code, 'settings');
      for (const part of [
        /sink 1: .*NOT_SET is not set/,
        /sink 2: "type"/,
        /sink 3: "kinds.0"/,
        /"colour" is not known/,
        /sink 4: "time_zone"/,
      ])
        assert.match(error.message, part);
      return true;
    },
  );
});
