/** What we promise (docs/operations.md), and who is told how fast when the error budget burns. */

export interface Slo {
  readonly name: string;
  /** Share that may fail over 30 days. */
  readonly budget: number;
  readonly promise: string;
  /** PromQL of the failing share over `window`, by namespace. */
  readonly errors: (window: string) => string;
}

/** SSE answers as long as its client stays, and probes are nobody's request. */
const ASKED = 'route!~"/v1/stream|/healthz|/readyz|/metrics"';
const requests = (window: string, more = ''): string =>
  `sum by (namespace) (rate(tapewatch_http_request_duration_seconds_count{${ASKED}${more}}[${window}]))`;

export const SLOS: readonly Slo[] = [
  {
    name: 'tape',
    budget: 0.0001,
    promise: '99.99 % of trades are captured, live or by repair',
    errors: (window) => {
      const lost = `sum by (namespace) (rate(tapewatch_feed_gap_trades_total{outcome="lost"}[${window}]))`;
      return `${lost} / (${lost} + sum by (namespace) (rate(tapewatch_trades_total[${window}])) > 0)`;
    },
  },
  {
    name: 'fresh',
    budget: 0.005,
    promise: 'detection is less than 5 s behind the tape 99.5 % of the time',
    errors: (window) => `1 - avg_over_time(namespace:tapewatch_detection_fresh:bool[${window}])`,
  },
  {
    name: 'available',
    budget: 0.001,
    promise: '99.9 % of API requests are answered without a server error',
    errors: (window) =>
      `(${requests(window, ',status=~"5.."')} or 0 * ${requests(window)}) / (${requests(window)} > 0)`,
  },
  {
    name: 'fast',
    budget: 0.01,
    promise: '99 % of API requests are answered within 0.5 s',
    errors: (window) =>
      `1 - sum by (namespace) (rate(tapewatch_http_request_duration_seconds_bucket{${ASKED},le="0.5"}[${window}])) / (${requests(window)} > 0)`,
  },
];

export interface Burn {
  readonly long: string;
  readonly short: string;
  /** Times the rate at which the budget lasts exactly 30 days. */
  readonly factor: number;
  readonly severity: 'critical' | 'warning';
  readonly spent: string;
}

/** Google's SRE workbook, chapter 5: multi-window, multi-burn-rate. */
export const BURNS: readonly Burn[] = [
  { long: '1h', short: '5m', factor: 14.4, severity: 'critical', spent: '2 % of the month’s budget in an hour' },
  { long: '6h', short: '30m', factor: 6, severity: 'critical', spent: '5 % of the month’s budget in six hours' },
  { long: '1d', short: '2h', factor: 3, severity: 'warning', spent: '10 % of the month’s budget in a day' },
  { long: '3d', short: '6h', factor: 1, severity: 'warning', spent: '10 % of the month’s budget in three days' },
];

export const WINDOWS: readonly string[] = ['5m', '30m', '1h', '2h', '6h'];
/** Read over all their samples at every evaluation, and slow to change. */
export const LONG_WINDOWS: readonly string[] = ['1d', '3d'];
