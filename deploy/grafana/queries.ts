/** PromQL that several panels ask. A lag is told by every detect, so it is the max by partition first. */
import { OURS, type Panel } from './panels.ts';

export const RATE: string = '[$__rate_interval]';
export const rate = (metric: string, by: string, more = ''): string =>
  `sum by (${by}) (rate(${metric}{${OURS}${more}}${RATE}))`;
export const quantile = (q: number, metric: string, by = '', more = ''): string =>
  `histogram_quantile(${q}, sum by (${['le', by].filter(Boolean).join(', ')}) (rate(${metric}_bucket{${OURS}${more}}${RATE})))`;
export const quantiles = (metric: string): Panel['queries'] => [
  [quantile(0.5, metric), 'p50'],
  [quantile(0.99, metric), 'p99'],
];

/** Series of this counter come with their first anomaly, which `increase` would not count: a difference does. */
export const anomalies = (by: string, over: string, more = ''): string => {
  const series = `tapewatch_anomalies_total{${OURS}${more}}`;
  return `sum by (${by}) ((${series} - ${series} offset ${over} >= 0) or ${series})`;
};
export const LAG: string = `max by (namespace, group, topic, partition) (tapewatch_consumer_lag_records{${OURS}})`;
/** SSE answers as long as its client stays. */
export const ASKED: string = ',route!~"/v1/stream|/healthz|/readyz|/metrics"';
export const HTTP: string = 'tapewatch_http_request_duration_seconds';
