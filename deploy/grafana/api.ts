/** What HTTP is asked, and how it answers. */
import { type Dashboard, OURS } from './panels.ts';
import { ASKED, HTTP, quantile, RATE, rate } from './queries.ts';

export const API: Dashboard = {
  uid: 'tapewatch-api',
  title: 'API',
  description: 'Requests, errors and latency of the HTTP API.',
  rows: [
    [
      'Requests',
      [
        {
          as: 'lines',
          title: 'Requests a second, by route',
          why: 'Probes and scrapes left out; streams count when they end.',
          unit: 'reqps',
          queries: [
            [rate(`${HTTP}_count`, 'method, route', ',route!~"/healthz|/readyz|/metrics"'), '{{method}} {{route}}'],
          ],
        },
        {
          as: 'bars',
          title: 'Requests a second, by status',
          why: '4xx: somebody asks wrongly. 5xx: we fail.',
          unit: 'reqps',
          queries: [[rate(`${HTTP}_count`, 'status', ASKED), '{{status}}']],
          runbook: 'budget-burns',
        },
        {
          as: 'lines',
          title: 'Share of errors',
          why: 'Server errors are the objective’s; those of clients stand beside it.',
          unit: 'percentunit',
          queries: [
            [
              `(sum(rate(${HTTP}_count{${OURS}${ASKED},status=~"5.."}${RATE})) or vector(0)) / sum(rate(${HTTP}_count{${OURS}${ASKED}}${RATE}))`,
              'server (5xx)',
            ],
            [
              `(sum(rate(${HTTP}_count{${OURS}${ASKED},status=~"4.."}${RATE})) or vector(0)) / sum(rate(${HTTP}_count{${OURS}${ASKED}}${RATE}))`,
              'client (4xx)',
            ],
          ],
          runbook: 'budget-burns',
        },
      ],
    ],
    [
      'Latency',
      [
        {
          as: 'heat',
          title: 'Requests by duration',
          why: 'Streams left out.',
          unit: 's',
          queries: [[rate(`${HTTP}_bucket`, 'le', ASKED), '{{le}}']],
          runbook: 'api-slow',
        },
        {
          as: 'lines',
          title: 'Latency',
          why: 'Of all routes but streams.',
          unit: 's',
          queries: [
            [quantile(0.5, HTTP, '', ASKED), 'p50'],
            [quantile(0.95, HTTP, '', ASKED), 'p95'],
            [quantile(0.99, HTTP, '', ASKED), 'p99'],
          ],
          runbook: 'api-slow',
        },
        {
          as: 'lines',
          title: 'p99 by route',
          why: 'Which route is slow.',
          unit: 's',
          queries: [[quantile(0.99, HTTP, 'route', ASKED), '{{route}}']],
          runbook: 'api-slow',
        },
      ],
    ],
  ],
};
