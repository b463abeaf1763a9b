/**
 * What autoscaling asks: the real Prometheus that scrapes the pods, the real metrics-server, and the stand-in for
 * prometheus-adapter. All run in the test's network namespace, outside the cluster, which reaches them by Services.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { openSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { type AdapterRule, serveExternalMetrics } from './external-metrics.ts';
import { type Kube, NODE, type Pod, until } from './kube.ts';

const PROMETHEUS = 'http://127.0.0.1:9090';
const DISCOVERY = 9091;
const METRICS_SERVER = 4443;
const ADAPTER = 4444;

export interface MetricsOptions {
  readonly kube: Kube;
  /** Of control-plane.sh. */
  readonly folder: string;
  readonly prometheus: string;
  readonly metricsServer: string;
  readonly rule: AdapterRule;
}

export interface Metrics {
  /** URL of Prometheus. */
  readonly prometheus: string;
  stop(): void;
}

export async function startMetrics({
  kube,
  folder,
  prometheus,
  metricsServer,
  rule,
}: MetricsOptions): Promise<Metrics> {
  const children = [await startPrometheus(kube, folder, prometheus), startMetricsServer(folder, metricsServer)];
  const adapter = await serveExternalMetrics(ADAPTER, join(folder, 'pki'), PROMETHEUS, rule);
  await kube.kubectl(
    ['apply', '-f', '-'],
    [
      outside('metrics-server', 'metrics.k8s.io', METRICS_SERVER),
      outside('prometheus-adapter', 'external.metrics.k8s.io', ADAPTER),
    ].join('---\n'),
  );
  await until('the metrics APIs answer', 60, async () => {
    await kube.get('/apis/external.metrics.k8s.io/v1beta1');
    return kube.get('/apis/metrics.k8s.io/v1beta1/nodes');
  });
  return {
    prometheus: PROMETHEUS,
    stop() {
      adapter.close();
      adapter.closeAllConnections();
      for (const child of children) child.kill('SIGKILL');
    },
  };
}

/** Debian's Prometheus knows no kubernetes_sd: it is told of the pods over HTTP, with the labels that a ServiceMonitor gives. */
async function startPrometheus(kube: Kube, folder: string, binary: string): Promise<ChildProcess> {
  const targets = (pods: readonly Pod[]): object[] =>
    pods
      .filter(({ status }) => status.podIP !== undefined && status.phase === 'Running')
      .map(({ metadata, status }) => ({
        targets: [`${status.podIP}:8080`],
        labels: { namespace: 'default', pod: metadata.name },
      }));
  const discovery = createServer((_, outgoing) => {
    Promise.all(['capture', 'detect', 'serve'].map((component) => kube.pods(component))).then(
      (pods) =>
        outgoing.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(targets(pods.flat()))),
      () => outgoing.writeHead(500).end(),
    );
  });
  await new Promise<void>((resolve) => discovery.listen(DISCOVERY, '127.0.0.1', resolve));
  discovery.unref();
  const config = {
    global: { scrape_interval: '2s', scrape_timeout: '2s' },
    scrape_configs: [
      {
        job_name: 'tapewatch',
        http_sd_configs: [{ url: `http://127.0.0.1:${DISCOVERY}`, refresh_interval: '2s' }],
      },
    ],
  };
  const file = join(folder, 'prometheus.yml');
  const data = join(folder, 'prometheus');
  writeFileSync(file, JSON.stringify(config));
  rmSync(data, { recursive: true, force: true });
  const listen = `--web.listen-address=${new URL(PROMETHEUS).host}`;
  const child = background(folder, binary, `--config.file=${file}`, `--storage.tsdb.path=${data}`, listen);
  await until('Prometheus answers', 60, async () => (await fetch(`${PROMETHEUS}/-/ready`)).ok);
  return child;
}

function startMetricsServer(folder: string, binary: string): ChildProcess {
  const config = join(folder, 'admin.conf');
  return background(
    folder,
    binary,
    ...[`--kubeconfig=${config}`, `--authentication-kubeconfig=${config}`, `--authorization-kubeconfig=${config}`],
    ...[`--bind-address=${NODE}`, `--secure-port=${METRICS_SERVER}`, `--cert-dir=${join(folder, 'metrics-server')}`],
    ...['--kubelet-insecure-tls', '--kubelet-preferred-address-types=InternalIP'],
    // It ends where the timeout is not below the resolution.
    ...['--metric-resolution=10s', '--kubelet-request-timeout=8s'],
  );
}

/** A metrics API whose server runs outside the cluster, at `port` of the node. */
function outside(name: string, group: string, port: number): string {
  const version = 'v1beta1';
  return `
apiVersion: v1
kind: Service
metadata: { name: ${name}, namespace: kube-system }
spec: { ports: [{ port: 443, targetPort: ${port} }] }
---
apiVersion: v1
kind: Endpoints
metadata: { name: ${name}, namespace: kube-system }
subsets: [{ addresses: [{ ip: ${NODE} }], ports: [{ port: ${port} }] }]
---
apiVersion: apiregistration.k8s.io/v1
kind: APIService
metadata: { name: ${version}.${group} }
spec:
  group: ${group}
  version: ${version}
  groupPriorityMinimum: 100
  versionPriority: 100
  insecureSkipTLSVerify: true
  service: { name: ${name}, namespace: kube-system, port: 443 }
`;
}

function background(folder: string, binary: string, ...args: readonly string[]): ChildProcess {
  const log = openSync(join(folder, `${binary.slice(binary.lastIndexOf('/') + 1)}.log`), 'a');
  const child = spawn(binary, args, { stdio: ['ignore', log, log] });
  process.once('exit', () => child.kill('SIGKILL'));
  return child;
}
