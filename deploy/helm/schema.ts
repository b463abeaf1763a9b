/** The schema of the chart’s values: `settings` from the table in src/settings.ts, the rest as the templates take it. */
import { SETTINGS } from '../../src/settings.ts';

type Schema = Readonly<Record<string, unknown>>;

/** What the chart sets itself, from values of its own or from what Kubernetes knows; nobody trains but `start`. */
const SET_BY_THE_CHART =
  /^(data|port|host|instance|token|rules|notify|train-at|kafka|kafka-(tls.*|sasl|username|password.*|token-file))$/;

const text: Schema = { type: 'string' };
const flag: Schema = { type: 'boolean' };
const texts: Schema = { type: 'array', items: text };
const port: Schema = { type: 'integer', minimum: 1, maximum: 65_535 };
const anything: Schema = { type: 'object' };
const objects: Schema = { type: 'array', items: anything };
const words: Schema = { type: 'object', additionalProperties: text };

function whole(minimum: number, maximum?: number): Schema {
  return { type: 'integer', minimum, ...(maximum === undefined ? {} : { maximum }) };
}

function closed(properties: Readonly<Record<string, Schema>>, required: readonly string[] = []): Schema {
  return { type: 'object', additionalProperties: false, properties, ...(required.length > 0 ? { required } : {}) };
}

function setting({ type, unit, why, min, max, whole: isWhole, each }: (typeof SETTINGS)[number]): Schema {
  const description = `${why} (${unit})`;
  if (type === 'list') return { description, type: 'array', items: each ? { ...text, pattern: each[1].source } : text };
  if (type === 'number')
    return {
      description,
      type: isWhole ? 'integer' : 'number',
      ...(min === undefined ? {} : { minimum: min }),
      ...(max === undefined ? {} : { maximum: max }),
    };
  return { description, ...text, ...(/^[\w-]+(\|[\w-]+)+$/.test(unit) ? { enum: unit.split('|') } : {}) };
}

const workload = {
  replicas: whole(0),
  resources: anything,
  nodeSelector: words,
  tolerations: objects,
  affinity: anything,
  podAnnotations: words,
  extraEnv: objects,
} as const;

const scaling = closed({ stabilizationSeconds: whole(0, 3600), pods: whole(1), periodSeconds: whole(1, 1800) });

export const VALUES_SCHEMA: Schema = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  $comment: 'Written by deploy/generate.ts from src/settings.ts; change deploy/helm/schema.ts.',
  title: 'Values of the Tapewatch chart',
  ...closed({
    global: anything,
    image: closed({
      repository: { ...text, minLength: 1 },
      tag: text,
      digest: { ...text, pattern: '^(sha256:[0-9a-f]{64})?$' },
      pullPolicy: { enum: ['Always', 'IfNotPresent', 'Never'] },
      pullSecrets: texts,
    }),
    kafka: closed({
      brokers: { type: 'array', items: { ...text, pattern: '^([^\\s:]+|\\[[^\\]]+\\]):[0-9]+$' } },
      ports: { type: 'array', items: port },
      tls: closed({ enabled: flag, secret: text, clientCertificate: flag }),
      sasl: closed({
        mechanism: { enum: ['none', 'plain', 'scram-sha-256', 'scram-sha-512', 'oauthbearer'] },
        username: text,
        secret: text,
        key: { ...text, minLength: 1 },
      }),
    }),
    settings: closed(
      Object.fromEntries(
        SETTINGS.filter(({ key, secret }) => !secret && !SET_BY_THE_CHART.test(key)).map((row) => [
          row.key,
          setting(row),
        ]),
      ),
      ['partitions'],
    ),
    rules: objects,
    notify: anything,
    notifySecret: text,
    api: closed({ tokenSecret: text, tokenKey: text }),
    topics: closed({ job: flag }),
    capture: closed(workload),
    detect: closed(workload),
    serve: closed({
      ...workload,
      service: closed({ type: { enum: ['ClusterIP', 'NodePort', 'LoadBalancer'] }, port, annotations: words }),
      storage: closed({ size: { ...text, pattern: '^[0-9]+([KMGTP]i?)?$' }, storageClass: text }),
      ingress: closed({ enabled: flag, className: text, annotations: words, host: text, tlsSecret: text }),
    }),
    autoscaling: closed({
      mode: { enum: ['off', 'hpa', 'keda'] },
      minReplicas: whole(1),
      maxReplicas: whole(1),
      cpuPercent: whole(1, 100),
      lagRecords: whole(1),
      scaleUp: scaling,
      scaleDown: scaling,
      keda: closed({ pollingInterval: whole(1) }),
    }),
    monitoring: closed({
      serviceMonitor: closed({ enabled: flag, interval: { ...text, pattern: '^[0-9]+(ms|s|m)$' }, labels: words }),
      rules: closed({ enabled: flag, labels: words, runbooks: { ...text, pattern: '^https?://' } }),
      dashboards: closed({ enabled: flag, labels: words }),
    }),
    networkPolicy: closed({
      enabled: flag,
      serveFrom: objects,
      metricsFrom: objects,
      kafkaTo: objects,
      exchangeTo: objects,
      extraEgress: objects,
    }),
    podSecurity: closed({ runAsUser: whole(1), runAsGroup: whole(1) }),
    terminationGracePeriodSeconds: {
      ...whole(30),
      description: 'Longer than 15 s for the process and 10 s for a transaction.',
    },
    extraVolumes: objects,
    extraVolumeMounts: objects,
  }),
};

export function schemaFile(): string {
  return `${JSON.stringify(VALUES_SCHEMA, null, 2)}\n`;
}
