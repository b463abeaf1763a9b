/** The alerts on what goes wrong. Each has its page in docs/runbooks.md: what it means, what to look at, what to do. */

export interface Alert {
  readonly alert: string;
  readonly expr: string;
  readonly wait: string;
  readonly severity: 'critical' | 'warning';
  readonly summary: string;
  readonly description: string;
  /** Anchor of its page. */
  readonly runbook: string;
}

const LAG = 'namespace_group_topic:tapewatch_consumer_lag_records:sum';
const ASKED = 'route!~"/v1/stream|/healthz|/readyz|/metrics"';
const requests = 'rate(tapewatch_http_request_duration_seconds';

export const ALERTS: readonly Alert[] = [
  {
    alert: 'TapewatchFeedLost',
    expr: 'tapewatch_feed_connected == 0',
    wait: '1m',
    severity: 'critical',
    summary: 'A connection to the exchange is down.',
    description:
      'Connection {{ $labels.connection }} of {{ $labels.instance }} has not stood for a minute; its symbols are not watched. What is missed is fetched by trade id once it stands again.',
    runbook: 'feed-lost',
  },
  {
    alert: 'TapewatchNoTrades',
    // Over an hour, so that a capture that is gone, and its series with it, alerts as well.
    expr: 'time() - max by (namespace) (max_over_time(tapewatch_feed_last_trade_timestamp_seconds[1h]) > 0) > 120',
    wait: '1m',
    severity: 'critical',
    summary: 'No trade has come for minutes.',
    description:
      'The last trade of any symbol came {{ $value | humanizeDuration }} ago: no capture runs, or the exchange stands still.',
    runbook: 'no-trades',
  },
  {
    alert: 'TapewatchTradesLost',
    expr: 'sum by (namespace) (increase(tapewatch_feed_gap_trades_total{outcome="lost"}[15m])) > 0',
    wait: '0m',
    severity: 'warning',
    summary: 'Trades are missing from the tape for good.',
    description:
      'About {{ $value | humanize }} trades could not be repaired over REST in the last 15 minutes; they stand on the tape as gaps.',
    runbook: 'trades-lost',
  },
  {
    alert: 'TapewatchLagRising',
    expr: `${LAG}{group="detect"} > 5000 and ${LAG}{group="detect"} > ${LAG}{group="detect"} offset 2m`,
    wait: '5m',
    severity: 'warning',
    summary: 'Detection falls behind the tape.',
    description:
      '{{ $value | humanize }} records of {{ $labels.topic }} wait, and more every minute: alerts come later and later.',
    runbook: 'lag-rising',
  },
  {
    alert: 'TapewatchNothingScored',
    expr: '(sum by (namespace) (rate(tapewatch_trades_total[2m])) > 0) unless on (namespace) (sum by (namespace) (rate(tapewatch_trades_scored_total[2m])) > 0)',
    wait: '2m',
    severity: 'critical',
    summary: 'Trades come in, and none is scored.',
    description:
      '{{ $value | humanize }} trades a second are captured while detection takes none: no anomaly can be found.',
    runbook: 'nothing-scored',
  },
  {
    alert: 'TapewatchAnomalyStorm',
    // Counted by the latency histogram: its series stands from the start, those of anomalies_total come with the first one.
    expr: 'sum by (namespace) (increase(tapewatch_alert_latency_seconds_count[10m])) > 30 and sum by (namespace) (increase(tapewatch_alert_latency_seconds_count[10m])) > 10 * sum by (namespace) (increase(tapewatch_alert_latency_seconds_count[1d] offset 10m)) / 144',
    wait: '0m',
    severity: 'warning',
    summary: 'Far more anomalies than usual.',
    description:
      'About {{ $value | humanize }} anomaly records in 10 minutes, over ten times the day’s mean: the whole market moves, or the feed or the settings are not what they were.',
    runbook: 'anomaly-storm',
  },
  {
    alert: 'TapewatchRestoreTooLong',
    expr: 'tapewatch_partitions_restoring > 0',
    wait: '2m',
    severity: 'warning',
    summary: 'A detector has been restoring its state for minutes.',
    description:
      '{{ $labels.instance }} still has {{ $value }} partitions to restore after two minutes; a second or two is usual. Their trades wait.',
    runbook: 'restore-too-long',
  },
  {
    alert: 'TapewatchTransactionsAborting',
    expr: 'namespace:tapewatch_transactions_failed:ratio_rate5m > 0.05',
    wait: '2m',
    severity: 'warning',
    summary: 'Steps of detection do not commit.',
    description:
      '{{ $value | humanizePercentage }} of the transactions were retried or aborted over 5 minutes. Nothing is lost or doubled, but alerts come late.',
    runbook: 'transactions-aborting',
  },
  {
    alert: 'TapewatchApiSlow',
    expr: `1 - sum by (namespace, route) (${requests}_bucket{${ASKED},le="0.5"}[5m])) / (sum by (namespace, route) (${requests}_count{${ASKED}}[5m])) > 0.1) > 0.05`,
    wait: '5m',
    severity: 'warning',
    summary: 'The API answers slowly.',
    description: '{{ $value | humanizePercentage }} of the requests to {{ $labels.route }} took over 0.5 s.',
    runbook: 'api-slow',
  },
];
