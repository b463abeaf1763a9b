/** Our chart and our image on a real Kubernetes: what an operator counts on, case by case; the last compares every byte. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { DEFAULT_MODEL } from '../../src/model/artefact-file.ts';
import { processClock } from '../../src/transport/network.ts';
import { countOf, differenceOf, drained, feed, printed, tapeOf, written } from '../kafka/tape.ts';
import { queryOf, ruleOf, sampleOf } from './external-metrics.ts';
import { isReady, type Pod, until } from './kube.ts';
import { type Metrics, startMetrics } from './metrics.ts';
import { install, manifests, REWRITTEN, rolledOut } from './release.ts';
import { fileOf, lagOf, openStage, type Stage, signal, TOKEN, tapewatch, tradesOf, valuesOf } from './stage.ts';

const SEED = 8;
/** Trades a second of the load that CPU is scaled on. */
const RATE = 8000;
const WORKLOADS = ['statefulset/tapewatch-capture', 'statefulset/tapewatch-detect', 'deployment/tapewatch-serve'];
/** Sees what the kernel lets it do: user, capabilities, no new privileges, seccomp filter; and tries to write to the root. */
const LOOK = `
const { readFileSync, writeFileSync } = require('node:fs');
const status = readFileSync('/proc/1/status', 'utf8');
const of = (key) => new RegExp('^' + key + ':\\\\s+(\\\\S+)', 'm').exec(status)[1];
let root = 'written';
try { writeFileSync('/app/x', ''); } catch (error) { root = error.code; }
console.log(JSON.stringify({ uid: of('Uid'), capabilities: of('CapEff'), noNewPrivileges: of('NoNewPrivs'), seccomp: of('Seccomp'), root }));
`;

let stage: Stage;
let metrics: Metrics;
before(async () => {
  stage = await openStage();
});
after(async () => {
  metrics?.stop();
  await stage?.stop();
});

const scaling = (more: object): object => ({
  mode: 'hpa',
  minReplicas: 1,
  maxReplicas: 3,
  scaleUp: { stabilizationSeconds: 0, pods: 2, periodSeconds: 15 },
  scaleDown: { stabilizationSeconds: 20, pods: 2, periodSeconds: 15 },
  ...more,
});

async function detectPod(name: string): Promise<Pod> {
  const pod = (await stage.kube.pods('detect')).find(({ metadata }) => metadata.name === name);
  assert.ok(pod, `${name} is gone`);
  return pod;
}

async function api<T>(path: string, method = 'GET', body?: string): Promise<T> {
  const service = '/api/v1/namespaces/default/services/tapewatch-serve';
  const { spec } = await stage.kube.get<{ spec: { clusterIP: string } }>(service);
  const answer = await fetch(`http://${spec.clusterIP}/v1/${path}`, {
    method,
    headers: { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' },
    body: body ?? null,
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${path}: ${text}`);
  return JSON.parse(text) as T;
}

/** As an operator: uploaded to the API and put in force. A budget of 24 a symbol-day gives enough to compare. */
async function putInForce(name: string, file: string): Promise<void> {
  await api(`models/${name}`, 'PUT', readFileSync(file, 'utf8'));
  await api(`models/${name}/activate`, 'POST', '{"settings":{"budget":24}}');
}

test('the chart’s pods become ready from our image, without rights, and anomalies arrive at the API', async (t) => {
  t.diagnostic(`rewritten for this Kubernetes: ${REWRITTEN}`);
  const { value, seconds } = await until('the chart is installed', 240, async () => {
    await install(stage.kube, stage.given.helm, valuesOf(stage));
    for (const workload of WORKLOADS) await rolledOut(stage.kube, workload, 120);
    return true;
  });
  assert.ok(value);
  t.diagnostic(`installed and ready in ${seconds} s`);
  for (const component of ['capture', 'detect', 'serve']) {
    for (const { metadata } of await stage.kube.pods(component)) {
      const seen = JSON.parse(await stage.kube.kubectl(['exec', metadata.name, '--', 'node', '-e', LOOK]));
      assert.deepEqual(seen, {
        uid: '10001',
        capabilities: '0000000000000000',
        noNewPrivileges: '1',
        seccomp: '2',
        root: 'EROFS',
      });
    }
  }
  await putInForce('default', DEFAULT_MODEL);
  const arrived = await until('anomalies arrive at the API', 180, async () => {
    const { items } = await api<{ items: unknown[] }>('anomalies?limit=1');
    return items.length > 0;
  });
  t.diagnostic(`the first anomalies are served ${arrived.seconds} s later`);
});

test('the query that the chart gives prometheus-adapter returns the group’s lag on a real Prometheus', async (t) => {
  const text = manifests(stage.given.helm, valuesOf(stage, { autoscaling: scaling({}) }), 'autoscaling.yaml');
  const rule = ruleOf(text);
  const { folder, prometheus, metricsServer } = stage.given;
  metrics = await startMetrics({ kube: stage.kube, folder, prometheus, metricsServer, rule });
  const query = queryOf(rule, 'default', { group: 'detect' });
  t.diagnostic(query);
  const { value } = await until('the query returns what both pods tell', 60, async () => {
    const pods = await sampleOf(metrics.prometheus, 'count(count by (pod) (tapewatch_consumer_lag_records))');
    const lag = await sampleOf(metrics.prometheus, query);
    return pods === 2 && lag !== null ? { lag } : null;
  });
  t.diagnostic(`${value.lag} records, told by both pods and counted once`);
});

test('a rolling update to a new image and a new model while trades flow', async (t) => {
  const before = await tradesOf(stage);
  const uids = new Set((await stage.kube.pods('detect')).map(({ metadata }) => metadata.uid));
  const model = await trained();
  const image = { repository: 'tapewatch', tag: stage.given.nextTag, pullPolicy: 'Never' };
  const { seconds } = await until('the update is rolled out', 300, async () => {
    await stage.kube.kubectl(['apply', '-f', '-'], manifests(stage.given.helm, valuesOf(stage, { image })));
    const [capture, ...others] = WORKLOADS;
    await Promise.all([
      rolledOut(stage.kube, capture!, 200),
      ...others.map((workload) => rolledOut(stage.kube, workload, 200)),
      processClock.sleep(4000).then(() => putInForce('next', model)),
    ]);
    return true;
  });
  const after = await stage.kube.pods('detect');
  assert.ok(after.every(({ metadata }) => !uids.has(metadata.uid)));
  assert.ok(after.every(({ spec }) => spec.containers[0]!.image === `tapewatch:${stage.given.nextTag}`));
  const flowed = (await tradesOf(stage)) - before;
  t.diagnostic(`all pods and the model renewed in ${seconds} s; ${flowed} records flowed meanwhile`);
  assert.ok(flowed > 1000, 'nothing flowed while it was rolled out');
  await until('the new model is in force', 60, async () => {
    const { active } = await api<{ active: { name: string | null } }>('models');
    return active.name === 'next';
  });
});

test('a replica that has not restored its state is kept out: not ready, and no other may be evicted', async (t) => {
  const [name, other] = ['tapewatch-detect-0', 'tapewatch-detect-1'];
  await until('both are ready', 60, async () => (await stage.kube.pods('detect')).filter(isReady).length === 2);
  const pod = await detectPod(name);
  const at = `http://${pod.status.podIP}:8080`;
  const alive = (): Promise<boolean> =>
    fetch(`${at}/healthz`)
      .then(({ ok }) => ok)
      .catch(() => false);
  signal(pod, 'SIGKILL');
  await until('it is gone', 10, async () => !(await alive()), 20);
  await until('it lives again', 60, alive, 20);
  // What restores it comes from the broker: as long as that stands still it has no state.
  const [broker] = stage.broker.nodes;
  broker!.freeze();
  try {
    const answer = await fetch(`${at}/readyz`);
    assert.equal(answer.status, 503);
    assert.match(await answer.text(), /State is being restored/);
    await until('Kubernetes knows', 4, async () => !isReady(await detectPod(name)));
    const eviction = {
      apiVersion: 'policy/v1beta1',
      kind: 'Eviction',
      metadata: { name: other, namespace: 'default' },
    };
    const path = `/api/v1/namespaces/default/pods/${other}/eviction`;
    await assert.rejects(
      stage.kube.kubectl(['create', '--raw', path, '-f', '-'], JSON.stringify(eviction)),
      /disruption budget/,
    );
  } finally {
    broker!.thaw();
  }
  const { seconds } = await until('it is ready again', 90, async () => isReady(await detectPod(name)));
  const restored = await fetch(`http://${(await detectPod(name)).status.podIP}:8080/metrics`);
  const told = /^tapewatch_restore_duration_seconds_count.* (\d+)$/m.exec(await restored.text());
  t.diagnostic(`ready ${seconds} s later, ${told?.[1]} partitions restored`);
  assert.ok(Number(told?.[1]) > 0);
});

test('liveness ends a hung process, and another has taken over meanwhile', async (t) => {
  const name = 'tapewatch-detect-1';
  const pod = await detectPod(name);
  const restarts = pod.status.containerStatuses![0]!.restartCount;
  signal(pod, 'SIGSTOP');
  const began = performance.now();
  await processClock.sleep(8000);
  const over = await until('the other replica has its partitions', 60, async () => (await lagOf(stage)) < 5000);
  t.diagnostic(`lag is ${await lagOf(stage)} ${(8 + over.seconds).toFixed(0)} s after it hung`);
  await until('it is restarted', 240, async () => {
    const [container] = (await detectPod(name)).status.containerStatuses!;
    return container!.restartCount > restarts;
  });
  const restarted = (performance.now() - began) / 1000;
  await until('it is ready again', 90, async () => isReady(await detectPod(name)));
  t.diagnostic(
    `restarted ${restarted.toFixed(0)} s after it hung (probes 30 s, grace 45 s), ready after ${((performance.now() - began) / 1000).toFixed(0)} s`,
  );
});

/**
 * From one replica, and without capture: the load is a tape of the test's own. `cpu` is what detect asks for: at its limit of
 * 500m it never uses more than it asked for, and only lag counts.
 */
async function autoscale(more: object, cpu: string): Promise<void> {
  const values = valuesOf(stage, { autoscaling: scaling(more) }, cpu);
  await stage.kube.kubectl(['apply', '-f', '-'], manifests(stage.given.helm, values));
  await stage.kube.kubectl(['scale', 'statefulset/tapewatch-capture', '--replicas=0']);
  await rolledOut(stage.kube, 'statefulset/tapewatch-detect', 120);
  await replicas((count) => count === 1);
}

function replicas(wanted: (count: number) => boolean): Promise<{ readonly value: number; readonly seconds: number }> {
  return until('replicas as wanted are ready', 240, async () => {
    const pods = await stage.kube.pods('detect');
    return wanted(pods.length) && pods.every(isReady) ? pods.length : null;
  });
}

const LOAD = tapeOf({ seed: SEED, symbols: 60, trades: 1_200_000 });

test('lag rises and so do the replicas; lag falls and so do the replicas', async (t) => {
  await autoscale({ lagRecords: 20_000, cpuPercent: 100 }, '500m');
  const half = LOAD.slice(0, LOAD.length / 2);
  const began = performance.now();
  let highest = 0;
  const watching = setInterval(() => void lagOf(stage).then((lag) => (highest = Math.max(highest, lag))), 1000);
  const feeding = feed(stage.log, half, 100_000);
  const up = await replicas((count) => count === 3);
  await feeding;
  await until('the lag is gone', 240, async () => (await lagOf(stage)) === 0);
  clearInterval(watching);
  const drainedAfter = (performance.now() - began) / 1000;
  const down = await replicas((count) => count === 1);
  t.diagnostic(
    `${half.length} trades at once: lag up to ${highest}; 3 replicas ready after ${up.seconds} s, no lag after ${drainedAfter.toFixed(0)} s, 1 replica ${down.seconds} s later`,
  );
  assert.ok(highest > 20_000);
});

test('CPU rises and so do the replicas, by the real metrics-server; it falls and so do they', async (t) => {
  await autoscale({ lagRecords: 1_000_000_000, cpuPercent: 70 }, '100m');
  const rest = LOAD.slice(LOAD.length / 2);
  let scaled = false;
  const up = replicas((count) => count > 1).then((found) => {
    scaled = true;
    return found;
  });
  let fed = 0;
  for (; !scaled && fed < rest.length; fed += 4000) await feed(stage.log, rest.slice(fed, fed + 4000), RATE);
  const { value, seconds } = await up;
  const down = await replicas((count) => count === 1);
  t.diagnostic(
    `${fed} trades at ${RATE} a second: ${value} replicas ready after ${seconds} s; 1 again ${down.seconds} s after the load`,
  );
});

test('after all of it the anomalies and bars on Kafka are the bytes of a backtest of its tape', async (t) => {
  await drained(() => lagOf(stage), 120_000);
  const bars = fileOf(stage, 'bars.ndjson');
  const tape = `kafka://${stage.broker.brokers.join(',')}`;
  const anomalies = await tapewatch(stage, 'backtest', '--tape', tape, '--bars', bars);
  const wanted = printed(anomalies, readFileSync(bars, 'utf8'));
  const actual = await written(stage.log);
  const models = new Set(anomalies.match(/"model":"sha256:[0-9a-f]+"/g));
  t.diagnostic(
    `${await tradesOf(stage)} records of tape, ${countOf(wanted, 'anomalies')} anomaly records by ${models.size} models, ${countOf(wanted, 'bars')} bars`,
  );
  assert.ok(countOf(wanted, 'anomalies') > 50 && models.size === 2, 'too little to prove anything');
  assert.deepEqual(differenceOf(actual, wanted), { lost: 0, doubled: 0, wrong: 0, first: null });
});

/** A file with another model than the shipped one, of a market of its own. */
async function trained(): Promise<string> {
  const [tape, model] = [fileOf(stage, 'market.ndjson'), fileOf(stage, 'next.json')];
  await tapewatch(stage, 'simulate', '--out', tape, '--symbols', '4', '--trades', '200000', '--anomalies', 'plan');
  await tapewatch(stage, 'train', '--tape', tape, '--seed', '9', '--out', model);
  return model;
}
