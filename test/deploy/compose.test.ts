/**
 * `docker compose up` of this repository, as a user types it, with the demo’s exchange. Lost if this fails: somebody’s first
 * five minutes, and the promise that any of the containers may be killed.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { DASHBOARDS } from '../../deploy/grafana/dashboards.ts';
import { marketSince } from '../../src/commands/simulated-market.ts';
import { type KafkaLog, openKafkaLog } from '../../src/event-log/kafka/kafka-log.ts';
import type { Trade } from '../../src/market/records.ts';
import { processClock } from '../../src/transport/network.ts';
import { noCluster } from '../kafka/broker.ts';
import { countOf, differenceOf, drained, printed, written } from '../kafka/tape.ts';
import { type Docker, noDocker, someDocker } from './docker.ts';
import { bases } from './images.ts';
import { freePort } from './observed.ts';
import { kafkaImage, prometheusImages } from './stand-ins.ts';
import { prometheusTools } from './tools.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const BIN = join(ROOT, 'bin/tapewatch.js');
const PROJECT = `tapewatch-test-${process.pid}`;
const OURS = ['capture', 'detect', 'serve'];
/** Where a registry can be reached (the workflow of ci), the images that compose.yaml names are run, and Grafana with them. */
const REGISTRY = Boolean(process.env['TAPEWATCH_NODE_IMAGE'] && process.env['TAPEWATCH_RUNTIME_IMAGE']);
const SERVICES = [...OURS, 'kafka', 'exchange', 'prometheus', 'alertmanager', ...(REGISTRY ? ['grafana'] : [])];
const tools = prometheusTools();

interface State {
  readonly State: {
    readonly Pid: number;
    readonly Status: string;
    readonly StartedAt: string;
    readonly Health: { readonly Status: string };
  };
  readonly RestartCount: number;
}

describe('docker compose up, with the demo’s exchange', {
  skip: noDocker() ?? (REGISTRY ? false : (noCluster() ?? tools.missing ?? false)),
}, () => {
  const folder = mkdtempSync(join(tmpdir(), 'tapewatch-compose-'));
  const files = [
    ...['--env-file', join(ROOT, 'deploy/compose/demo.env'), '--env-file', join(folder, 'ports.env')],
    ...['-f', join(ROOT, 'compose.yaml'), '-f', join(folder, 'override.json'), '-p', PROJECT],
  ];
  const ports: Record<'PAGE' | 'KAFKA' | 'PROMETHEUS' | 'ALERTMANAGER' | 'GRAFANA', number> = {
    PAGE: 0,
    KAFKA: 0,
    PROMETHEUS: 0,
    ALERTMANAGER: 0,
    GRAFANA: 0,
  };
  let docker: Docker;
  let log: KafkaLog;
  /** Since when the market has traded. */
  let began = '';

  before(async () => {
    docker = await someDocker();
    for (const name of Object.keys(ports) as (keyof typeof ports)[]) ports[name] = await freePort();
    const variables = Object.entries(ports).map(([name, port]) => `${name}_PORT=${port}`);
    writeFileSync(join(folder, 'ports.env'), [...variables, `TAPEWATCH_IMAGE=${PROJECT}:built`].join('\n'));
    const { node, runtime } = bases(docker);
    const build = { args: { NODE_IMAGE: node, RUNTIME_IMAGE: runtime } };
    const services = {
      ...Object.fromEntries([...OURS, 'exchange'].map((name) => [name, { build }])),
      ...(REGISTRY ? {} : standIns(docker)),
    };
    writeFileSync(join(folder, 'override.json'), JSON.stringify({ services }));
  });

  after(async () => {
    await log?.close();
    if (docker) {
      compose('down', '--volumes', '--timeout', '5');
      docker.run('image', 'rm', '-f', `${PROJECT}:built`);
      await docker.stop();
    }
    rmSync(folder, { recursive: true, force: true });
  });

  function compose(...args: readonly string[]): string {
    return docker.run('compose', ...files, ...args);
  }

  function stateOf(service: string): State {
    const id = compose('ps', '--all', '-q', service).trim();
    return (JSON.parse(docker.run('inspect', id)) as State[])[0]!;
  }

  async function until<T>(what: string, within_s: number, look: () => Promise<T | null | false>): Promise<T> {
    let last: unknown;
    for (const end = Date.now() + within_s * 1000; Date.now() < end; await processClock.sleep(500)) {
      const found = await look().catch((error: unknown) => {
        last = error;
        return null;
      });
      if (found !== null && found !== false) return found;
    }
    return assert.fail(`${what}: not within ${within_s} s; ${last ?? ''}\n${compose('logs', '--tail', '15')}`);
  }

  async function json<T>(port: keyof typeof ports, path: string): Promise<T> {
    const answer = await fetch(`http://127.0.0.1:${ports[port]}${path}`, { signal: AbortSignal.timeout(5000) });
    if (!answer.ok) throw new Error(`${path} answered ${answer.status}`);
    return (await answer.json()) as T;
  }

  async function sample(query: string): Promise<number> {
    const { data } = await json<{ data: { result: { value: [number, string] }[] } }>(
      'PROMETHEUS',
      `/api/v1/query?${new URLSearchParams({ query })}`,
    );
    return Number(data.result[0]?.value[1] ?? Number.NaN);
  }

  async function alerts(): Promise<readonly string[]> {
    const firing = await json<{ labels: { alertname: string } }[]>('ALERTMANAGER', '/api/v2/alerts?active=true');
    return firing.map(({ labels }) => labels.alertname);
  }

  test('builds the image, and --wait returns when every service is ready, each after what it needs', async () => {
    compose('up', '--detach', '--wait', '--wait-timeout', '300');
    const states = new Map(SERVICES.map((name) => [name, stateOf(name).State]));
    for (const [name, { Status, Health }] of states)
      assert.deepEqual([Status, Health.Status], ['running', 'healthy'], name);
    const started = (name: string): number => Date.parse(states.get(name)!.StartedAt);
    for (const name of OURS) assert.ok(started(name) > started('kafka'), name);
    assert.ok(started('capture') > started('exchange') && started('prometheus') > started('alertmanager'));
    log = await openKafkaLog({ brokers: [`127.0.0.1:${ports.KAFKA}`], clientId: 'compose-test', prefix: '' });
  });

  test('anomalies arrive on the page’s API', async () => {
    await until('an anomaly', 180, async () => {
      const { items } = await json<{ items: unknown[] }>('PAGE', '/v1/anomalies?limit=1');
      return items.length > 0;
    });
    const page = await fetch(`http://127.0.0.1:${ports.PAGE}/`);
    assert.match(await page.text(), /<title>[^<]*Tapewatch/);
  });

  test('Prometheus scrapes every role, takes the rules, knows its Alertmanager, and has nothing to tell', async () => {
    await until('all targets are up and trades counted', 60, async () => {
      const up = await sample('count(up{job=~"capture|detect|serve"} == 1)');
      return up === 3 && (await sample('sum(tapewatch_trades_scored_total)')) > 0;
    });
    const { data } = await json<{
      data: { groups: { rules: { name: string; health: string; lastError?: string }[] }[] };
    }>('PROMETHEUS', '/api/v1/rules');
    const rules = data.groups.flatMap((group) => group.rules);
    assert.ok(rules.length > 20);
    assert.deepEqual(
      rules.filter(({ lastError }) => lastError),
      [],
    );
    const managers = await json<{ data: { activeAlertmanagers: unknown[] } }>('PROMETHEUS', '/api/v1/alertmanagers');
    assert.equal(managers.data.activeAlertmanagers.length, 1);
    assert.deepEqual(await alerts(), []);
  });

  test('Grafana has the dashboards, and reaches its Prometheus', {
    skip: REGISTRY
      ? false
      : 'Grafana’s image can’t be had without a registry: its provisioning is checked as files, every query on Prometheus',
  }, async () => {
    const found = await until('the dashboards', 60, async () => {
      const dashboards = await json<unknown[]>('GRAFANA', '/api/search?type=dash-db');
      return dashboards.length >= DASHBOARDS.length ? dashboards : null;
    });
    assert.equal(found.length, DASHBOARDS.length);
    const path = '/api/datasources/proxy/uid/prometheus/api/v1/query?query=up';
    const { data } = await json<{ data: { result: unknown[] } }>('GRAFANA', path);
    assert.ok(data.result.length > 0);
  });

  for (const service of SERVICES)
    test(`kill -9 of ${service}: it comes back by itself`, {
      skip: process.getuid?.() === 0 ? false : 'needs root',
    }, async () => {
      const { State: before, RestartCount } = stateOf(service);
      process.kill(before.Pid, 'SIGKILL');
      await until(`${service} is healthy again`, 90, async () => {
        const now = stateOf(service);
        return now.RestartCount > RestartCount && now.State.Health.Status === 'healthy';
      });
    });

  test('the broker is restarted, and trades go on being scored', async () => {
    compose('restart', 'kafka');
    const { end } = await log.bounds('trades', 0);
    await until('trades flow', 90, async () => (await log.bounds('trades', 0)).end > end);
    const before = await sample('sum(tapewatch_trades_scored_total)');
    await until('they are scored', 90, async () => (await sample('sum(tapewatch_trades_scored_total)')) > before);
  });

  test('the exchange goes away, and its alert stands in Alertmanager', async () => {
    began = compose('exec', '-T', 'exchange', 'cat', '/data/began').trim();
    compose('stop', 'exchange');
    await until('TapewatchFeedLost', 180, async () => (await alerts()).includes('TapewatchFeedLost'));
  });

  test('nothing was lost or doubled: every trade of the exchange, and the anomalies and bars of a backtest of the tape', async (t) => {
    await drained(async () => (await log.lag('detect', 'trades')).reduce((sum, { lag }) => sum + lag, 0), 120_000);
    const bars = join(folder, 'bars.ndjson');
    const args = [BIN, 'backtest', '--tape', `kafka://127.0.0.1:${ports.KAFKA}`, '--bars', bars];
    const { stdout } = await promisify(execFile)(process.execPath, args, { maxBuffer: 1 << 28 });
    const wanted = printed(stdout, readFileSync(bars, 'utf8'));
    const trades = await checkTape();
    t.diagnostic(
      `Compose: ${trades} trades, ${countOf(wanted, 'anomalies')} anomaly records, ${countOf(wanted, 'bars')} bars, none lost, doubled or other`,
    );
    assert.ok(
      trades > 1000 && countOf(wanted, 'anomalies') > 0 && countOf(wanted, 'bars') > 100,
      'too little to prove anything',
    );
    assert.deepEqual(differenceOf(await written(log), wanted), { lost: 0, doubled: 0, wrong: 0, first: null });
  });

  /** Compares the trades on the topic with those of the same market, made here; returns how many there are. */
  async function checkTape(): Promise<number> {
    const { before = [] } = marketSince({ seed: 1, symbols: 10, sinceMs: Date.parse(began), speed: 1 });
    const market = Map.groupBy(before, ({ symbol }) => symbol);
    let sum = 0;
    for (const [symbol, tape] of await tapeOfTopic()) {
      const made = market.get(symbol)!.map(lineOf);
      assert.deepEqual(tape, made.slice(made.indexOf(tape[0]!), made.indexOf(tape.at(-1)!) + 1), symbol);
      sum += tape.length;
    }
    return sum;
  }

  /** By symbol, in order, without those at or below the last id: what every reader passes over. */
  async function tapeOfTopic(): Promise<ReadonlyMap<string, string[]>> {
    const tapes = new Map<string, string[]>();
    const last = new Map<string, number>();
    for (let partition = 0; partition < (await log.partitions('trades')); partition++) {
      for (let from = 0; ; ) {
        const { records, next } = await log.read('trades', partition, from);
        if (records.length === 0) break;
        for (const { value } of records) {
          const { type, symbol, id, price, volume, side } = JSON.parse(String(value)) as Trade & { type?: string };
          if (type !== undefined || id <= (last.get(symbol) ?? -1)) continue;
          last.set(symbol, id);
          const line = lineOf({ id, price, volume, side });
          const tape = tapes.get(symbol);
          if (tape) tape.push(line);
          else tapes.set(symbol, [line]);
        }
        from = next;
      }
    }
    return tapes;
  }
});

/** What stands in for images of others, and Grafana left out. */
function standIns(docker: Docker): object {
  const { prometheus, alertmanager } = prometheusImages(docker, tools.dir!);
  return {
    kafka: { image: kafkaImage(docker) },
    prometheus: { image: prometheus },
    alertmanager: { image: alertmanager },
    grafana: { profiles: ['none'] },
  };
}

function lineOf(trade: Readonly<Record<'id' | 'price' | 'volume' | 'side', number | string>>): string {
  return `${trade.id} ${Number(trade.price)} ${Number(trade.volume)} ${trade.side}`;
}
