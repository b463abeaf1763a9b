/** What is odd on the market. */
import { type Dashboard, OURS } from './panels.ts';
import { anomalies, quantiles, RATE } from './queries.ts';

export const MARKET: Dashboard = {
  uid: 'tapewatch-market',
  title: 'Market',
  description: 'What is odd on the market: anomalies by kind, symbol and severity.',
  rows: [
    [
      'Now',
      [
        {
          as: 'number',
          title: 'Anomalies, last hour',
          why: 'Records of anomalies, closes left out, of the last hour.',
          unit: 'short',
          queries: [[`sum(${anomalies('kind', '1h')})`, 'anomalies']],
          runbook: 'anomaly-storm',
        },
        {
          as: 'number',
          title: 'Critical, last hour',
          why: 'Those whose like comes less often than every 40 days.',
          unit: 'short',
          queries: [[`sum(${anomalies('severity', '1h', ',severity="critical"')}) or vector(0)`, 'critical']],
        },
        {
          as: 'number',
          title: 'Trades a second',
          why: 'Trades captured, of all symbols.',
          unit: 'ops',
          queries: [[`sum(rate(tapewatch_trades_total{${OURS}}${RATE}))`, 'trades']],
          runbook: 'no-trades',
        },
        {
          as: 'number',
          title: 'Last trade',
          why: 'How long ago a trade last came.',
          unit: 's',
          queries: [[`time() - max(tapewatch_feed_last_trade_timestamp_seconds{${OURS}})`, 'ago']],
          runbook: 'no-trades',
        },
      ],
    ],
    [
      'Anomalies',
      [
        {
          as: 'bars',
          title: 'By kind, last hour',
          why: 'At each moment the number of the hour before it.',
          unit: 'short',
          queries: [[anomalies('kind', '1h'), '{{kind}}']],
          runbook: 'anomaly-storm',
        },
        {
          as: 'bars',
          title: 'By symbol, last hour',
          why: 'The ten symbols with most.',
          unit: 'short',
          queries: [[`topk(10, ${anomalies('symbol', '1h')})`, '{{symbol}}']],
        },
        {
          as: 'bars',
          title: 'By severity, last hour',
          why: 'Notice; warning: rarer than every 4 days; critical: rarer than every 40.',
          unit: 'short',
          queries: [[anomalies('severity', '1h'), '{{severity}}']],
        },
        {
          as: 'lines',
          title: 'From trade to alert',
          why: 'From the exchange’s time of the trade to the anomaly in the log.',
          unit: 's',
          queries: quantiles('tapewatch_alert_latency_seconds'),
          runbook: 'lag-rising',
        },
      ],
    ],
  ],
};
