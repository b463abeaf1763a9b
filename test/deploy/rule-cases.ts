/** Series that an alert has to fire on, and series beside them that it has to keep silent on. */
import { RUNBOOKS } from '../../deploy/prometheus/rules.ts';
import { BURNS, type Burn, type Slo } from '../../deploy/prometheus/slos.ts';

export interface Fired {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface AlertCase {
  readonly alert: string;
  readonly name: string;
  readonly interval?: string;
  /** In promtool’s notation: `0+1x9` is ten samples from 0 to 9. */
  readonly series: Readonly<Record<string, string>>;
  readonly at: string;
  readonly fires: readonly Fired[];
}

const N = 'namespace="tape"';

function fired(
  severity: string,
  labels: Readonly<Record<string, string>>,
  summary: string,
  description: string,
  runbook: string,
): Fired {
  return {
    labels: { severity, namespace: 'tape', ...labels },
    annotations: { summary, description, runbook_url: `${RUNBOOKS}#${runbook}` },
  };
}

const CONNECTED = `tapewatch_feed_connected{${N},instance="capture-0",connection="2"}`;
const LAST = `tapewatch_feed_last_trade_timestamp_seconds{${N},instance="capture-0"}`;
const lag = (partition: number, instance: string): string =>
  `tapewatch_consumer_lag_records{${N},group="detect",topic="trades",partition="${partition}",instance="${instance}"}`;
const TRADES = `tapewatch_trades_total{${N},exchange="binance"}`;
const SCORED = `tapewatch_trades_scored_total{${N},instance="detect-0"}`;
const ANOMALIES = `tapewatch_alert_latency_seconds_count{${N},instance="detect-0"}`;
const RESTORING = `tapewatch_partitions_restoring{${N},instance="detect-0"}`;
const steps = (outcome: string): string => `tapewatch_transactions_total{${N},outcome="${outcome}"}`;
const http = (what: string, route: string, more = ''): string =>
  `tapewatch_http_request_duration_seconds_${what}{${N},method="GET",status="200",route="${route}"${more}}`;

const nothingScored = fired(
  'critical',
  {},
  'Trades come in, and none is scored.',
  '10 trades a second are captured while detection takes none: no anomaly can be found.',
  'nothing-scored',
);

const noTrades = fired(
  'critical',
  {},
  'No trade has come for minutes.',
  'The last trade of any symbol came 4m 0s ago: no capture runs, or the exchange stands still.',
  'no-trades',
);

export const ALERT_CASES: readonly AlertCase[] = [
  {
    alert: 'TapewatchFeedLost',
    name: 'a connection that stays away',
    series: { [CONNECTED]: '1x4 0x20' },
    at: '3m',
    fires: [
      fired(
        'critical',
        { instance: 'capture-0', connection: '2' },
        'A connection to the exchange is down.',
        'Connection 2 of capture-0 has not stood for a minute; its symbols are not watched. What is missed is fetched by trade id once it stands again.',
        'feed-lost',
      ),
    ],
  },
  {
    alert: 'TapewatchFeedLost',
    name: 'a reconnect within the minute',
    series: { [CONNECTED]: '1x4 0x3 1x20' },
    at: '3m',
    fires: [],
  },
  {
    alert: 'TapewatchFeedLost',
    name: 'a connection that is another process’s now',
    series: { [CONNECTED]: '1x4 0x1 stale' },
    at: '5m',
    fires: [],
  },
  {
    alert: 'TapewatchNoTrades',
    name: 'connected, and nothing comes',
    series: { [LAST]: '0+15x8 120x30' },
    at: '6m',
    fires: [noTrades],
  },
  {
    alert: 'TapewatchNoTrades',
    name: 'capture is gone with its series',
    series: { [LAST]: '0+15x8 stale' },
    at: '6m',
    fires: [noTrades],
  },
  { alert: 'TapewatchNoTrades', name: 'trades come', series: { [LAST]: '0+15x40' }, at: '9m', fires: [] },
  {
    alert: 'TapewatchTradesLost',
    name: 'a hole that REST does not fill',
    series: { [`tapewatch_feed_gap_trades_total{${N},outcome="lost"}`]: '0x8 5x20' },
    at: '5m',
    fires: [
      fired(
        'warning',
        {},
        'Trades are missing from the tape for good.',
        'About 5 trades could not be repaired over REST in the last 15 minutes; they stand on the tape as gaps.',
        'trades-lost',
      ),
    ],
  },
  {
    alert: 'TapewatchTradesLost',
    name: 'holes that are repaired',
    series: {
      [`tapewatch_feed_gap_trades_total{${N},outcome="lost"}`]: '0x40',
      [`tapewatch_feed_gap_trades_total{${N},outcome="repaired"}`]: '0+50x40',
    },
    at: '8m',
    fires: [],
  },
  {
    alert: 'TapewatchLagRising',
    name: 'two partitions fall behind; two detectors tell the same',
    series: {
      [lag(0, 'detect-0')]: '0+500x60',
      [lag(0, 'detect-1')]: '0+500x60',
      [lag(1, 'detect-0')]: '0+100x60',
    },
    at: '10m',
    fires: [
      fired(
        'warning',
        { group: 'detect', topic: 'trades' },
        'Detection falls behind the tape.',
        '24k records of trades wait, and more every minute: alerts come later and later.',
        'lag-rising',
      ),
    ],
  },
  {
    alert: 'TapewatchLagRising',
    name: 'three detectors that tell one small lag each',
    series: { [lag(0, 'detect-0')]: '0+80x60', [lag(0, 'detect-1')]: '0+80x60', [lag(0, 'detect-2')]: '0+80x60' },
    at: '15m',
    fires: [],
  },
  {
    alert: 'TapewatchLagRising',
    name: 'a backlog that is worked off',
    series: { [lag(0, 'detect-0')]: '90000-1000x60' },
    at: '10m',
    fires: [],
  },
  {
    alert: 'TapewatchNothingScored',
    name: 'detect takes nothing',
    series: { [TRADES]: '0+150x40', [SCORED]: '0x40' },
    at: '6m',
    fires: [nothingScored],
  },
  {
    alert: 'TapewatchNothingScored',
    name: 'no detect at all',
    series: { [TRADES]: '0+150x40' },
    at: '6m',
    fires: [nothingScored],
  },
  {
    alert: 'TapewatchNothingScored',
    name: 'few are scored, and more are on their way',
    series: { [TRADES]: '0+150x40', [SCORED]: '0+1x40' },
    at: '9m',
    fires: [],
  },
  {
    alert: 'TapewatchNothingScored',
    name: 'no trades, nothing to score',
    series: { [TRADES]: '7x40', [SCORED]: '7x40' },
    at: '9m',
    fires: [],
  },
  {
    alert: 'TapewatchAnomalyStorm',
    name: 'sixty at once after a day of two in ten minutes',
    interval: '5m',
    series: { [ANOMALIES]: '0+1x290 350x4' },
    at: '1455m',
    fires: [
      fired(
        'warning',
        {},
        'Far more anomalies than usual.',
        'About 61 anomaly records in 10 minutes, over ten times the day’s mean: the whole market moves, or the feed or the settings are not what they were.',
        'anomaly-storm',
      ),
    ],
  },
  {
    alert: 'TapewatchAnomalyStorm',
    name: 'sixty more where forty in ten minutes are usual',
    interval: '5m',
    series: { [ANOMALIES]: '0+20x290 5860x4' },
    at: '1455m',
    fires: [],
  },
  {
    alert: 'TapewatchRestoreTooLong',
    name: 'three partitions for three minutes',
    series: { [RESTORING]: '0x2 3x20' },
    at: '4m',
    fires: [
      fired(
        'warning',
        { instance: 'detect-0' },
        'A detector has been restoring its state for minutes.',
        'detect-0 still has 3 partitions to restore after two minutes; a second or two is usual. Their trades wait.',
        'restore-too-long',
      ),
    ],
  },
  {
    alert: 'TapewatchRestoreTooLong',
    name: 'a restore of half a minute',
    series: { [RESTORING]: '0x2 3x2 0x20' },
    at: '4m',
    fires: [],
  },
  {
    alert: 'TapewatchTransactionsAborting',
    name: 'a sixth of the steps',
    series: { [steps('committed')]: '0+10x80', [steps('aborted')]: '0+1x80', [steps('retried')]: '0+1x80' },
    at: '10m',
    fires: [
      fired(
        'warning',
        {},
        'Steps of detection do not commit.',
        '16.67% of the transactions were retried or aborted over 5 minutes. Nothing is lost or doubled, but alerts come late.',
        'transactions-aborting',
      ),
    ],
  },
  {
    alert: 'TapewatchTransactionsAborting',
    name: 'one rebalance',
    series: { [steps('committed')]: '0+10x80', [steps('aborted')]: '0x20 8x60' },
    at: '10m',
    fires: [],
  },
  {
    alert: 'TapewatchApiSlow',
    name: 'a tenth over half a second',
    series: {
      [http('bucket', '/v1/anomalies', ',le="0.5"')]: '0+9x80',
      [http('count', '/v1/anomalies')]: '0+10x80',
    },
    at: '11m',
    fires: [
      fired(
        'warning',
        { route: '/v1/anomalies' },
        'The API answers slowly.',
        '10% of the requests to /v1/anomalies took over 0.5 s.',
        'api-slow',
      ),
    ],
  },
  {
    alert: 'TapewatchApiSlow',
    name: 'streams that stay open',
    series: {
      [http('bucket', '/v1/stream', ',le="0.5"')]: '0x80',
      [http('count', '/v1/stream')]: '0+10x80',
      [http('bucket', '/v1/anomalies', ',le="0.5"')]: '0+10x80',
      [http('count', '/v1/anomalies')]: '0+10x80',
    },
    at: '11m',
    fires: [],
  },
];

/** A test of promtool: an objective that fails all along at `share` times what a burn rate allows. */
export function burnTest(slo: Slo, burn: Burn, share: number): object {
  const ratio = slo.budget * burn.factor * share;
  const told = BURNS.filter(({ factor }) => burn.factor * share > factor);
  return {
    name: `${slo.name} at ${share} times the burn of ${burn.long}`,
    interval: '15s',
    input_series: Object.entries(failing(slo.name, ratio, share > 1)).map(([series, values]) => ({ series, values })),
    promql_expr_test: [
      {
        expr: `ALERTS{alertname="TapewatchBudgetBurns",alertstate="firing",slo="${slo.name}"}`,
        eval_time: AT,
        exp_samples: told.map(({ severity, long }) => ({
          labels: `ALERTS{alertname="TapewatchBudgetBurns",alertstate="firing",${N},severity="${severity}",slo="${slo.name}",window="${long}"}`,
          value: 1,
        })),
      },
    ],
  };
}

/** The page of an hour stops minutes after the fault does: the short window sees to it. */
export function recoveredTest(): object {
  return {
    name: 'server errors that ended twelve minutes ago',
    interval: '15s',
    input_series: [
      { series: http('count', '/v1/anomalies'), values: '0+50x180' },
      { series: http('count', '/v1/anomalies').replace('200', '500'), values: '0+50x132 6600x48' },
    ],
    promql_expr_test: [
      {
        expr: 'ALERTS{alertname="TapewatchBudgetBurns",alertstate="firing",window="1h"}',
        eval_time: AT,
        exp_samples: [],
      },
      { expr: 'namespace:tapewatch_slo_available:errors_ratio1h > bool 0.3', eval_time: AT, exp_samples: [HIGH] },
    ],
  };
}

const HIGH = { labels: '{namespace="tape"}', value: 1 };
const SAMPLES = 180;
const AT = '45m';

/** Series of an installation in which `ratio` of an objective’s events fail; `more`: never less than that, from the first on. */
function failing(slo: string, ratio: number, more: boolean): Readonly<Record<string, string>> {
  const rising = (step: number): string => `0+${step}x${SAMPLES}`;
  const all = 100_000;
  const bad = all * ratio;
  if (slo === 'tape')
    return {
      [TRADES]: rising(all - bad),
      [`tapewatch_feed_gap_trades_total{${N},outcome="lost"}`]: rising(bad),
    };
  if (slo === 'fast')
    return {
      [http('count', '/v1/bars')]: rising(all),
      [http('bucket', '/v1/bars', ',le="0.5"')]: rising(all - bad),
    };
  if (slo === 'available')
    return {
      [http('count', '/v1/bars')]: rising(all - bad),
      [http('count', '/v1/bars').replace('200', '503')]: rising(bad),
    };
  const behind = (i: number): boolean => {
    const past = more ? Math.ceil(i * ratio) : Math.floor(i * ratio);
    return (more ? Math.ceil((i + 1) * ratio) : Math.floor((i + 1) * ratio)) > past;
  };
  const lags = Array.from({ length: SAMPLES + 1 }, (_, i) => (behind(i) ? 50_000 : 20));
  return { [TRADES]: rising(1500), [lag(0, 'detect-0')]: lags.join(' ') };
}
