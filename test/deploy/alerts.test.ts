/**
 * Alerts fired by the fault itself: real processes over a real broker, the real Prometheus, our Alertmanager configuration, a
 * webhook that is told. So that it takes minutes and not hours every duration of the rules is a tenth; the expressions and
 * thresholds are those committed.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Admin, ConfigResourceTypes, IncrementalAlterConfigOperationTypes } from '@platformatic/kafka';
import { ALERTS } from '../../deploy/prometheus/alerts.ts';
import { processClock } from '../../src/transport/network.ts';
import { type Cluster, noCluster, startCluster } from '../kafka/broker.ts';
import {
  type Alertmanager,
  alertmanager,
  freePort,
  type Prometheus,
  prometheus,
  type Running,
  tapewatch,
} from './observed.ts';
import { prometheusTools } from './tools.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const FASTER = 10;
const WAIT_MS = 120_000;
const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };
const tools = prometheusTools();

/** Durations a tenth, and the one threshold that is a time in seconds. */
function hurried(rules: string): string {
  return rules
    .replace(/\b(\d+)([smhd])\b/g, (_, n: string, unit: string) => `${(Number(n) * SECONDS[unit]! * 1000) / FASTER}ms`)
    .replace(/\) > 120'/, `) > ${120 / FASTER}'`);
}

describe('the fault itself fires the alert, and Alertmanager tells it', {
  skip: tools.missing ?? noCluster() ?? (process.getuid?.() === 0 ? false : 'Alertmanager needs root here'),
}, () => {
  const running: Running[] = [];
  const data = mkdtempSync(join(tmpdir(), 'tapewatch-alerts-'));
  let cluster: Cluster;
  let kafka: readonly string[];
  let [market, serve, ...detectors]: Running[] = [];
  let manager: Alertmanager;
  let metrics: Prometheus;

  before(async () => {
    cluster = await startCluster();
    const start = async (...args: readonly string[]): Promise<Running> => {
      const one = await tapewatch(args);
      running.push(one);
      return one;
    };
    market = await start('simulate', '--port', '0', '--speed', '60', '--symbols', '20', '--fault=lost@1500:50');
    const { ws, rest, symbols } = JSON.parse(market.said().split('\n')[0]!) as Record<string, string>;
    kafka = ['--kafka', cluster.brokers.join(',')];
    // One that hangs keeps its partitions for two minutes, which wait: the lag rises.
    const common = ['--port', '0', '--partitions', '4', '--kafka-session', '120000', ...kafka];
    const exchange = ['--ws-url', ws!, '--rest-url', rest!, '--symbols', String(symbols)];
    detectors = [
      await start('detect', '--instance', 'detect-0', '--budget', '0.01', ...common),
      await start(
        'detect',
        '--instance',
        'detect-1',
        '--budget',
        '0.01',
        ...common,
        '--port',
        String(await freePort()),
      ),
    ];
    serve = await start('serve', '--data', data, ...common);
    const capture = await start('capture', '--instance', 'capture-0', ...common, ...exchange);
    manager = await alertmanager(tools.dir!);
    metrics = await prometheus({
      dir: tools.dir!,
      jobs: {
        detect: detectors.map(({ address }) => address),
        serve: [serve.address],
        capture: [capture.address],
      },
      rules: hurried(readFileSync(join(ROOT, 'deploy/prometheus/tapewatch.rules.yaml'), 'utf8')),
      alertmanager: manager.host,
    });
    running.push(manager, metrics);
    const scored = async () => (await metrics.query('sum(tapewatch_trades_scored_total)'))[0]?.value ?? 0;
    for (const end = Date.now() + WAIT_MS; (await scored()) === 0; await processClock.sleep(250))
      assert.ok(Date.now() < end, 'nothing is scored');
  });

  after(async () => {
    for (const each of running.reverse()) await each.stop();
    await cluster.stop();
    rmSync(data, { recursive: true, force: true });
  });

  async function told(alert: string, since = 0): Promise<void> {
    const find = (): Alertmanager['told'][number] | undefined =>
      manager.told.slice(since).find(({ status, labels }) => status === 'firing' && labels['alertname'] === alert);
    for (const end = Date.now() + WAIT_MS; !find(); await processClock.sleep(250))
      if (Date.now() > end)
        assert.fail(
          `${alert} was not told of; told: ${manager.told.map(({ labels }) => labels['alertname']).join(', ')}`,
        );
    const { labels, annotations } = find()!;
    const ours = ALERTS.find((one) => one.alert === alert);
    if (ours) assert.deepEqual([labels['severity'], annotations['summary']], [ours.severity, ours.summary]);
    assert.match(annotations['runbook_url']!, /runbooks\.md#[a-z-]+$/);
    assert.doesNotMatch(annotations['description']!, /\{\{|%!|<no value>|NaN/);
  }

  test('trades that the exchange does not have: TapewatchTradesLost', () => told('TapewatchTradesLost'));

  test('a detector hangs: TapewatchLagRising, and the objective of freshness burns', async () => {
    detectors[1]!.signal('SIGSTOP');
    try {
      await told('TapewatchLagRising');
      await told('TapewatchBudgetBurns');
    } finally {
      detectors[1]!.signal('SIGCONT');
    }
  });

  test('a budget ten thousand times larger is activated: TapewatchAnomalyStorm', async () => {
    const run = promisify(execFile);
    const model = (...args: readonly string[]) =>
      run(process.execPath, [join(ROOT, 'bin/tapewatch.js'), 'model', ...args, ...kafka]);
    await model('import', join(ROOT, 'models/default.json'), '--name', 'default');
    await model('activate', 'default', '--budget', '1000');
    await told('TapewatchAnomalyStorm');
  });

  test('the API stalls with requests in hand: TapewatchApiSlow', async () => {
    const stalling = new AbortController();
    const work = (async () => {
      while (!stalling.signal.aborted) {
        const answers = Array.from({ length: 5 }, () => stalled(`${serve!.address}/v1/detect`));
        await processClock.sleep(100);
        serve!.signal('SIGSTOP');
        await processClock.sleep(800);
        serve!.signal('SIGCONT');
        await Promise.all(answers);
      }
    })();
    try {
      await told('TapewatchApiSlow');
    } finally {
      stalling.abort();
      await work;
    }
  });

  test('a topic takes no message as large as a step’s, so that steps do not commit: TapewatchTransactionsAborting', async () => {
    await limitMessages(cluster, 'bars', 100);
    try {
      await told('TapewatchTransactionsAborting');
    } finally {
      await limitMessages(cluster, 'bars', 1_048_588);
    }
  });

  test('Kafka is slow to a detector that takes partitions over: TapewatchRestoreTooLong', async () => {
    await limitReads(cluster, 5000);
    try {
      await detectors[1]!.stop();
      await told('TapewatchRestoreTooLong');
    } finally {
      await limitReads(cluster, null);
    }
    detectors[1] = await detectors[1]!.again();
    running.push(detectors[1]);
  });

  test('no detector is left: TapewatchNothingScored', async () => {
    // Steps that did not commit may have told it before.
    const stands = (): boolean =>
      manager.told.findLast(({ labels }) => labels['alertname'] === 'TapewatchNothingScored')?.status === 'firing';
    for (const end = Date.now() + WAIT_MS; stands(); await processClock.sleep(250)) assert.ok(Date.now() < end);
    const before = manager.told.length;
    for (const detector of detectors) await detector.stop();
    await told('TapewatchNothingScored', before);
  });

  test('the exchange is away: TapewatchFeedLost, TapewatchNoTrades', async () => {
    await market!.stop();
    await told('TapewatchFeedLost');
    await told('TapewatchNoTrades');
  });
});

/** A request whose second half comes a second after the first. */
async function stalled(url: string): Promise<void> {
  const body = new ReadableStream<Uint8Array>({
    async start(controller) {
      controller.enqueue(Buffer.from('{"trades":'));
      await processClock.sleep(1000);
      controller.enqueue(Buffer.from('[]}'));
      controller.close();
    },
  });
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(url, { method: 'POST', body, headers, duplex: 'half' } as RequestInit);
  await answer.arrayBuffer();
}

async function limitMessages({ brokers }: Cluster, topic: string, bytes: number): Promise<void> {
  const admin = new Admin({ clientId: 'alerts-test', bootstrapBrokers: [...brokers] });
  const { TOPIC } = ConfigResourceTypes;
  const { SET } = IncrementalAlterConfigOperationTypes;
  const configs = [{ name: 'max.message.bytes', configOperation: SET, value: String(bytes) }];
  await admin.incrementalAlterConfigs({ resources: [{ resourceType: TOPIC, resourceName: topic, configs }] });
  await admin.close();
}

/** The quota of every client, bytes a second; null: none. */
async function limitReads({ brokers }: Cluster, bytes_s: number | null): Promise<void> {
  const admin = new Admin({ clientId: 'alerts-test', bootstrapBrokers: [...brokers] });
  const quota = { key: 'consumer_byte_rate' } as const;
  const ops = [
    bytes_s === null ? { ...quota, remove: true as const } : { ...quota, value: bytes_s, remove: false as const },
  ];
  await admin.alterClientQuotas({ entries: [{ entities: [{ entityType: 'client-id', entityName: null }], ops }] });
  await admin.close();
}
