/**
 * Stands in for prometheus-adapter, which can't be had here: external.metrics.k8s.io from a real Prometheus, by the rule that
 * the chart carries for prometheus-adapter, filled in as that does. Where Prometheus has no sample there is no value, never 0.
 */
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import { join } from 'node:path';
import { NODE } from './kube.ts';

const GROUP = 'external.metrics.k8s.io/v1beta1';

export interface AdapterRule {
  readonly series: string;
  readonly query: string;
}

/** The one external rule of a prometheus-adapter configuration. */
export function ruleOf(config: string): AdapterRule {
  const value = (key: string): string => new RegExp(`^[ -]*${key}: (.+)$`, 'm').exec(config)![1]!;
  return { series: /^\w+/.exec(value('seriesQuery'))![0], query: value('metricsQuery') };
}

/** The rule's query for a namespace and the metric selector of an autoscaler. */
export function queryOf(rule: AdapterRule, namespace: string, labels: Readonly<Record<string, string>>): string {
  const matchers = Object.entries({ namespace, ...labels }).map(([name, value]) => `${name}="${value}"`);
  return rule.query.replaceAll('<<.Series>>', rule.series).replaceAll('<<.LabelMatchers>>', matchers.join(','));
}

export async function sampleOf(prometheus: string, query: string): Promise<number | null> {
  const answer = await fetch(`${prometheus}/api/v1/query?query=${encodeURIComponent(query)}`);
  const { data } = (await answer.json()) as { data: { result: { value: [number, string] }[] } };
  return data.result[0] ? Number(data.result[0].value[1]) : null;
}

/** @param pki folder of the cluster's certificates: only the API server may ask */
export function serveExternalMetrics(
  port: number,
  pki: string,
  prometheus: string,
  rule: AdapterRule,
): Promise<Server> {
  const file = (name: string): Buffer => readFileSync(join(pki, name));
  const resource = {
    name: rule.series,
    singularName: '',
    namespaced: true,
    kind: 'ExternalMetricValueList',
    verbs: ['get'],
  };
  const valuePath = new RegExp(`^/apis/${GROUP}/namespaces/([^/]+)/${rule.series}$`);
  const answer = async (url: URL): Promise<object | null> => {
    if (url.pathname === `/apis/${GROUP}`)
      return { kind: 'APIResourceList', apiVersion: 'v1', groupVersion: GROUP, resources: [resource] };
    const namespace = valuePath.exec(url.pathname)?.[1];
    if (namespace === undefined) return null;
    const selector = (url.searchParams.get('labelSelector') ?? '').split(',').filter((part) => part !== '');
    const labels = Object.fromEntries(selector.map((part) => part.split('=') as [string, string]));
    const value = await sampleOf(prometheus, queryOf(rule, namespace, labels));
    const item = {
      metricName: rule.series,
      metricLabels: labels,
      timestamp: new Date().toISOString(),
      value: String(value),
    };
    return { kind: 'ExternalMetricValueList', apiVersion: GROUP, metadata: {}, items: value === null ? [] : [item] };
  };
  const tls = { cert: file('node.crt'), key: file('node.key'), ca: file('front-proxy-ca.crt') };
  const server = createServer({ ...tls, requestCert: true, rejectUnauthorized: true }, (incoming, outgoing) => {
    const send = (status: number, body: object): void => {
      outgoing.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    };
    const fail = (code: number, message: string): void =>
      send(code, { kind: 'Status', apiVersion: 'v1', status: 'Failure', code, message });
    answer(new URL(incoming.url ?? '/', 'https://adapter')).then(
      (body) => (body ? send(200, body) : fail(404, 'No such thing here.')),
      (error: Error) => fail(500, error.message),
    );
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, NODE, () => resolve(server));
  });
}
