/** The feed from the exchange. */
import { type Dashboard, OURS } from './panels.ts';
import { rate } from './queries.ts';

export const CAPTURE: Dashboard = {
  uid: 'tapewatch-capture',
  title: 'Capture',
  description: 'The feed: connections, holes and their repair, trades that come late.',
  rows: [
    [
      'Connections',
      [
        {
          as: 'lines',
          title: 'Connections that stand',
          why: '1 stands, 0 is being tried again.',
          unit: 'short',
          max: 1,
          queries: [[`tapewatch_feed_connected{${OURS}}`, '{{instance}} {{connection}}']],
          runbook: 'feed-lost',
        },
        {
          as: 'lines',
          title: 'Connections lost and found, last hour',
          why: 'Changes of state; a daily handover is none.',
          unit: 'short',
          queries: [[`sum by (instance) (changes(tapewatch_feed_connected{${OURS}}[1h]))`, '{{instance}}']],
          runbook: 'feed-lost',
        },
        {
          as: 'lines',
          title: 'Trades a second, by process',
          why: 'How the symbols spread over the capture processes.',
          unit: 'ops',
          queries: [[rate('tapewatch_trades_total', 'exchange, instance'), '{{exchange}} {{instance}}']],
          runbook: 'no-trades',
        },
        {
          as: 'lines',
          title: 'Age of the last trade',
          why: 'Of any symbol.',
          unit: 's',
          queries: [
            [`time() - max by (instance) (tapewatch_feed_last_trade_timestamp_seconds{${OURS}})`, '{{instance}}'],
          ],
          runbook: 'no-trades',
        },
      ],
    ],
    [
      'Holes',
      [
        {
          as: 'bars',
          title: 'Trades in holes, last 5 minutes',
          why: 'Repaired: fetched over REST and merged in order. Lost: a gap on the tape.',
          unit: 'short',
          queries: [[`sum by (outcome) (increase(tapewatch_feed_gap_trades_total{${OURS}}[5m]))`, '{{outcome}}']],
          runbook: 'trades-lost',
        },
        {
          as: 'number',
          title: 'Lost since the start',
          why: 'Trades that could not be repaired, since the processes started.',
          unit: 'short',
          queries: [[`sum(tapewatch_feed_gap_trades_total{${OURS},outcome="lost"})`, 'lost']],
          runbook: 'trades-lost',
        },
        {
          as: 'number',
          title: 'Late trades, last hour',
          why: 'Stamped before what a heartbeat had promised.',
          unit: 'short',
          queries: [[`sum(increase(tapewatch_feed_late_trades_total{${OURS}}[1h]))`, 'late']],
        },
      ],
    ],
  ],
};
