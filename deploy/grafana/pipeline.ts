/** From the log to the anomaly. */
import { BURNS, SLOS } from '../prometheus/slos.ts';
import { type Dashboard, OURS } from './panels.ts';
import { LAG, quantiles, RATE, rate } from './queries.ts';

export const PIPELINE: Dashboard = {
  uid: 'tapewatch-pipeline',
  title: 'Pipeline',
  description: 'From the log to the anomaly: throughput, lag, time by stage, transactions, restores, objectives.',
  rows: [
    [
      'Objectives',
      SLOS.map(({ name, promise, budget }) => ({
        as: 'number',
        title: `Burn of “${name}”, last hour`,
        why: `${promise}. 1: the error budget lasts exactly 30 days; at ${BURNS[0]!.factor} somebody is woken.`,
        unit: 'short',
        queries: [[`max(namespace:tapewatch_slo_${name}:errors_ratio1h{namespace=~"$namespace"}) / ${budget}`, 'burn']],
        runbook: 'budget-burns',
      })),
    ],
    [
      'Throughput',
      [
        {
          as: 'lines',
          title: 'Trades a second',
          why: 'Captured and scored should be one line; a gap between them is lag.',
          unit: 'ops',
          queries: [
            [`sum(rate(tapewatch_trades_total{${OURS}}${RATE}))`, 'captured'],
            [`sum(rate(tapewatch_trades_scored_total{${OURS}}${RATE}))`, 'scored'],
          ],
          runbook: 'nothing-scored',
        },
        {
          as: 'lines',
          title: 'Scored a second, by detector',
          why: 'How evenly the partitions spread.',
          unit: 'ops',
          queries: [[rate('tapewatch_trades_scored_total', 'instance'), '{{instance}}']],
        },
        {
          as: 'lines',
          title: 'Lag',
          why: 'Records of the tape not yet consumed, by group.',
          unit: 'short',
          queries: [[`sum by (group, topic) (${LAG})`, '{{group}} on {{topic}}']],
          runbook: 'lag-rising',
        },
        {
          as: 'lines',
          title: 'Lag by partition',
          why: 'One partition alone: its owner hangs. All: too few detectors.',
          unit: 'short',
          queries: [[LAG, '{{group}} {{partition}}']],
          runbook: 'lag-rising',
        },
      ],
    ],
    [
      'Time by stage',
      [
        {
          as: 'lines',
          title: 'Waiting in the log',
          why: 'Lag over the rate of the last minutes: how long a trade waits for its step.',
          unit: 's',
          queries: [['namespace:tapewatch_detection_lag_seconds:estimate{namespace=~"$namespace"}', '{{namespace}}']],
          runbook: 'lag-rising',
        },
        {
          as: 'lines',
          title: 'A step: score and commit',
          why: 'One batch of a partition, its transaction included.',
          unit: 's',
          queries: quantiles('tapewatch_score_duration_seconds'),
        },
        {
          as: 'lines',
          title: 'From trade to alert',
          why: 'All stages: from the exchange’s time of the trade to the anomaly in the log.',
          unit: 's',
          queries: quantiles('tapewatch_alert_latency_seconds'),
        },
        {
          as: 'heat',
          title: 'Steps by duration',
          why: 'Where most are, and the few that are not.',
          unit: 's',
          queries: [[rate('tapewatch_score_duration_seconds_bucket', 'le'), '{{le}}']],
        },
      ],
    ],
    [
      'Transactions and state',
      [
        {
          as: 'bars',
          title: 'Transactions a second',
          why: 'Retried and aborted ones belong to rebalances and brokers that restart.',
          unit: 'ops',
          queries: [[rate('tapewatch_transactions_total', 'outcome'), '{{outcome}}']],
          runbook: 'transactions-aborting',
        },
        {
          as: 'lines',
          title: 'Share that did not commit at once',
          why: 'Over 5 % for two minutes alerts.',
          unit: 'percentunit',
          queries: [['namespace:tapewatch_transactions_failed:ratio_rate5m{namespace=~"$namespace"}', '{{namespace}}']],
          runbook: 'transactions-aborting',
        },
        {
          as: 'lines',
          title: 'Partitions being restored',
          why: 'After a rebalance or a restart, for a second or two.',
          unit: 'short',
          queries: [[`sum by (instance) (tapewatch_partitions_restoring{${OURS}})`, '{{instance}}']],
          runbook: 'restore-too-long',
        },
        {
          as: 'number',
          title: 'Mean restore',
          why: 'Of a partition: snapshots and the replay from them, since the processes started.',
          unit: 's',
          queries: [
            [
              `sum(tapewatch_restore_duration_seconds_sum{${OURS}}) / sum(tapewatch_restore_duration_seconds_count{${OURS}})`,
              'restore',
            ],
          ],
          runbook: 'restore-too-long',
        },
        {
          as: 'number',
          title: 'Models in force',
          why: 'By version, and on how many detectors; two only while a model is being changed.',
          unit: 'short',
          queries: [[`count by (name, version) (tapewatch_model_info{${OURS}} == 1)`, '{{name}} {{version}}']],
        },
      ],
    ],
  ],
};
