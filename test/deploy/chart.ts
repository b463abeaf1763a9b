/** Values that the chart is tried with, and what `helm template` makes of them. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const CHART: string = fileURLToPath(new URL('../../deploy/helm/tapewatch', import.meta.url));

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly labels?: Readonly<Record<string, string>> };
  readonly spec?: unknown;
  readonly data?: Readonly<Record<string, string>>;
}

const BROKERS = { kafka: { brokers: ['kafka-0.kafka:9092', 'kafka-1.kafka:9092'] } };
const EVERYTHING = {
  image: { repository: 'registry.example/tapewatch', digest: `sha256:${'0123456789abcdef'.repeat(4)}` },
  kafka: {
    brokers: ['broker.example:9094'],
    tls: { enabled: true, secret: 'kafka-tls', clientCertificate: true },
    sasl: { mechanism: 'scram-sha-512', username: 'tapewatch', secret: 'kafka-login', key: 'password' },
  },
  settings: {
    partitions: 24,
    symbols: ['BTCUSDT', 'ETHUSDT'],
    budget: 0.5,
    'kafka-prefix': 'prod.',
    'repair-limit': 1_000_000,
    'ws-url': ['ws://simulate:9443'],
    'rest-url': ['http://simulate:9443'],
  },
  rules: [{ symbol: 'BTCUSDT', kind: 'price_jump', zscore: 8 }, { muted: ['22:00-06:00'] }],
  notify: { sinks: [{ name: 'ops', type: 'slack', url_env: 'SLACK_URL' }] },
  notifySecret: 'notify-secrets',
  api: { tokenSecret: 'api-token' },
  serve: {
    storage: { size: '20Gi', storageClass: 'fast' },
    ingress: { enabled: true, className: 'nginx', host: 'tape.example', tlsSecret: 'tape-tls' },
  },
  monitoring: {
    serviceMonitor: { enabled: true, labels: { release: 'prometheus' } },
    rules: { enabled: true, runbooks: 'https://wiki.example/tapewatch' },
    dashboards: { enabled: true },
  },
  networkPolicy: {
    serveFrom: [{ namespaceSelector: { matchLabels: { name: 'ingress' } } }],
    metricsFrom: [{ namespaceSelector: { matchLabels: { name: 'monitoring' } } }],
    kafkaTo: [{ ipBlock: { cidr: '10.0.0.0/8' } }],
  },
};

/** By name: the least there is, all of it with each way of scaling, and a login by token. */
export const VALUES: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  least: BROKERS,
  'everything, hpa': { ...EVERYTHING, autoscaling: { mode: 'hpa', minReplicas: 3, maxReplicas: 24 } },
  'everything, keda': { ...EVERYTHING, autoscaling: { mode: 'keda', minReplicas: 3, maxReplicas: 12 } },
  'keda without login': { ...BROKERS, autoscaling: { mode: 'keda' } },
  'token, no policies': {
    kafka: { ...BROKERS.kafka, sasl: { mechanism: 'oauthbearer', secret: 'kafka-token', key: 'token' } },
    networkPolicy: { enabled: false },
    topics: { job: false },
  },
};

export function helm(dir: string, args: readonly string[], values: object = {}): string {
  const work = mkdtempSync(join(tmpdir(), 'tapewatch-helm-'));
  try {
    const file = join(work, 'values.json');
    writeFileSync(file, JSON.stringify(values));
    return execFileSync(join(dir, 'helm'), [...args, '--values', file], { encoding: 'utf8', stdio: 'pipe' });
  } catch (error) {
    throw new Error((error as { stderr: string }).stderr, { cause: error });
  } finally {
    rmSync(work, { recursive: true });
  }
}

/** As YAML. */
export function render(helmDir: string, values: object, ...more: readonly string[]): string {
  return helm(helmDir, ['template', 'tapewatch', CHART, '--namespace', 'tape', ...more], values);
}

/** `modelDir` is the folder that has the YAML parser. */
export function parse(modelDir: string, yaml: string): readonly Manifest[] {
  const { parseAllDocuments } = createRequire(join(modelDir, 'package.json'))('yaml') as {
    parseAllDocuments(text: string): readonly { toJS(): Manifest | null; readonly errors: readonly Error[] }[];
  };
  return parseAllDocuments(yaml).flatMap((document) => {
    if (document.errors[0]) throw document.errors[0];
    return document.toJS() ?? [];
  });
}
