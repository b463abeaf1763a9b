/**
 * Every panel's query, on a real Prometheus that scrapes the real processes after some load and some faults. No Grafana
 * server could be had to show them in: what is proved is that each query is valid and has data, not how it is drawn.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { RUNBOOKS } from '../../deploy/prometheus/rules.ts';
import { processClock } from '../../src/transport/network.ts';
import { type Cluster, noBroker, someBroker } from '../kafka/broker.ts';
import { freePort, type Prometheus, prometheus, type Running, tapewatch } from './observed.ts';
import { prometheusTools } from './tools.ts';

const FOLDER = fileURLToPath(new URL('../../deploy/grafana/dashboards/', import.meta.url));
const tools = prometheusTools();
const broker = noBroker();

interface Target {
  readonly expr: string;
  readonly legendFormat: string;
}

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly description?: string;
  readonly targets?: readonly Target[];
  readonly links?: readonly { readonly url: string }[];
  readonly fieldConfig: { readonly defaults: { readonly unit?: string } };
  readonly datasource?: { readonly uid: string };
}

interface Dashboard {
  readonly uid: string;
  readonly title: string;
  readonly tags: readonly string[];
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { readonly name: string; readonly query: unknown }[] };
  readonly links: readonly { readonly url?: string; readonly title: string }[];
}

const dashboards = readdirSync(FOLDER).map((name) => JSON.parse(readFileSync(join(FOLDER, name), 'utf8')) as Dashboard);
const panelsOf = ({ panels }: Dashboard): readonly Panel[] => panels.filter(({ type }) => type !== 'row');

test('panels say what they are: unit, legend, description, data source, runbooks that exist', () => {
  const pages = readFileSync(new URL('../../docs/runbooks.md', import.meta.url), 'utf8');
  const anchors = new Set(
    [...pages.matchAll(/^## (.+)$/gm)].map(([, title]) => title!.toLowerCase().replaceAll(' ', '-')),
  );
  assert.equal(new Set(dashboards.map(({ uid }) => uid)).size, dashboards.length);
  for (const dashboard of dashboards) {
    assert.deepEqual(
      dashboard.templating.list.map(({ name }) => name),
      ['datasource', 'namespace', 'job'],
    );
    assert.ok(dashboard.links.some(({ url }) => url === RUNBOOKS) && dashboard.tags.includes('tapewatch'));
    const titles = panelsOf(dashboard).map(({ title }) => title);
    assert.deepEqual(titles, [...new Set(titles)], `${dashboard.title}: a title stands twice`);
    assert.equal(new Set(dashboard.panels.map(({ id }) => id)).size, dashboard.panels.length);
    for (const { title, description, fieldConfig, targets, datasource, links } of panelsOf(dashboard)) {
      const where = `${dashboard.title}: ${title}`;
      assert.ok(description && fieldConfig.defaults.unit && datasource?.uid === '$datasource', where);
      assert.ok(targets && targets.length > 0 && targets.every(({ legendFormat }) => legendFormat !== ''), where);
      for (const { url } of links ?? []) assert.ok(anchors.has(url.replace(`${RUNBOOKS}#`, '')), `${where}: ${url}`);
    }
  }
});

describe('every panel’s query has data after load and faults', { skip: tools.missing ?? false }, () => {
  const running: Running[] = [];
  const data = mkdtempSync(join(tmpdir(), 'tapewatch-dashboards-'));
  let cluster: Cluster | null = null;
  let metrics: Prometheus;
  /** Where it answers. */
  let api: string;
  let asked: { stop(): Promise<void> } | null = null;

  before(async () => {
    // A third of a minute a second; a cut that is repaired, a hole that can’t be, and trades that come twice.
    const faults = '--fault=cut@400,hole@520:20,lost@640:10,duplicate@700:3,cut@800';
    if (!broker) cluster = await someBroker();
    const market = await tapewatch(['simulate', '--port', '0', '--speed', '20', '--symbols', '6', faults]);
    running.push(market);
    const { ws, rest, symbols } = JSON.parse(market.said().split('\n')[0]!) as Market;
    const exchange = ['--ws-url', ws, '--rest-url', rest, '--symbols', symbols.join(',')];
    const kafka = cluster ? ['--kafka', cluster.brokers.join(','), '--kafka-prefix', PREFIX, '--partitions', '4'] : [];
    const start = async (role: string, ...more: readonly string[]): Promise<Running> => {
      const one = await tapewatch([role, '--port', String(await freePort()), ...kafka, ...more]);
      running.push(one);
      return one;
    };
    const detector = cluster
      ? await start('detect', '--instance', 'detect-0')
      : await start('start', '--data', data, ...exchange);
    const jobs: Record<string, readonly string[]> = { detect: [detector.address] };
    api = detector.address;
    if (cluster) {
      const [second, serve, capture] = await Promise.all([
        start('detect', '--instance', 'detect-1'),
        start('serve', '--data', data),
        start('capture', '--instance', 'capture-0', ...exchange),
      ]);
      Object.assign(jobs, {
        detect: [detector.address, second.address],
        serve: [serve.address],
        capture: [capture.address],
      });
      api = serve.address;
    }
    metrics = await prometheus({ dir: tools.dir!, jobs });
    running.push(metrics);
    const total = async (promql: string): Promise<number> => (await metrics.query(`sum(${promql})`))[0]?.value ?? 0;
    // State is restored only where there was some: a detector that is started anew.
    await until('trades are scored', async () => (await total('tapewatch_trades_scored_total')) > 0);
    await detector.stop();
    running.push(await detector.again());
    asked = load(api);
    await until('faults are told of', async () => {
      const holes = ['lost', 'repaired'].map((outcome) =>
        total(`tapewatch_feed_gap_trades_total{outcome="${outcome}"}`),
      );
      const told = [total('tapewatch_anomalies_total'), total('tapewatch_restore_duration_seconds_count')];
      return (await Promise.all([...holes, ...told])).every((value) => value > 0);
    });
    // Two evaluations of the slowest group whose records a panel shows.
    await until('objectives are recorded', async () => (await metrics.query(OBJECTIVES)).length === 4);
  });

  after(async () => {
    await asked?.stop();
    for (const each of running.reverse()) await each.stop();
    await cluster?.stop();
    rmSync(data, { recursive: true, force: true });
  });

  for (const dashboard of dashboards)
    test(`${dashboard.title}: ${panelsOf(dashboard).length} panels${broker ? ', of one process: no broker here' : ''}`, async () => {
      for (const { title, targets } of panelsOf(dashboard))
        for (const { expr } of targets!) {
          const series = await metrics.range(filled(expr));
          assert.ok(series.length > 0, `${title}: no series for ${expr}`);
          assert.ok(
            series.some(({ value }) => Number.isFinite(value)),
            `${title}: no number for ${expr}`,
          );
        }
    });

  test('every metric that rules and dashboards name is one that the processes have', async () => {
    const { data } = (await (await fetch(`${metrics.address}/api/v1/label/__name__/values`)).json()) as {
      data: string[];
    };
    const rules = readFileSync(new URL('../../deploy/prometheus/tapewatch.rules.yaml', import.meta.url), 'utf8');
    const text = rules + dashboards.map((dashboard) => JSON.stringify(dashboard)).join('');
    const named = new Set(text.match(/\b(?:tapewatch|process|nodejs)_[a-z0-9_]+(?=[{[)])/g));
    assert.ok(named.size > 15);
    for (const name of named) assert.ok(data.includes(name), `nobody tells ${name}`);
  });
});

interface Market {
  readonly ws: string;
  readonly rest: string;
  readonly symbols: readonly string[];
}

const PREFIX = `dash-${process.pid}.`;
const OBJECTIVES = '{__name__=~"namespace:tapewatch_slo_.*:errors_ratio1h"}';

/** As Grafana fills its variables. */
function filled(expr: string): string {
  return expr.replaceAll('$__rate_interval', '20s').replace(/\$(namespace|job)/g, '.*');
}

/** What a page and its users ask, an error among it. */
function load(address: string): { stop(): Promise<void> } {
  const stopping = new AbortController();
  const paths = ['/v1/symbols', '/v1/anomalies', '/v1/incidents', '/v1/anomalies/none', '/healthz', '/readyz'];
  const asking = (async () => {
    while (!stopping.signal.aborted) {
      for (const path of paths) await (await fetch(address + path)).arrayBuffer();
      await processClock.sleep(100);
    }
  })();
  return {
    async stop() {
      stopping.abort();
      await asking;
    },
  };
}

async function until(what: string, holds: () => Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 150_000; !(await holds()); await processClock.sleep(500))
    if (Date.now() > end) throw new Error(`${what}: not within 150 s`);
}
