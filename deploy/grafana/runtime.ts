/** The processes. */
import { type Dashboard, OURS } from './panels.ts';
import { rate } from './queries.ts';

export const RUNTIME: Dashboard = {
  uid: 'tapewatch-runtime',
  title: 'Runtime',
  description: 'The processes: CPU, memory, event loop, garbage.',
  rows: [
    [
      'Processes',
      [
        {
          as: 'lines',
          title: 'CPU',
          why: 'Cores in use; detection is one thread, so about 1 is full.',
          unit: 'short',
          queries: [[rate('process_cpu_seconds_total', 'job, instance'), '{{job}} {{instance}}']],
          runbook: 'lag-rising',
        },
        {
          as: 'lines',
          title: 'Memory',
          why: 'Resident; Kubernetes kills at the limit.',
          unit: 'bytes',
          queries: [[`process_resident_memory_bytes{${OURS}}`, '{{job}} {{instance}}']],
          runbook: 'restore-too-long',
        },
        {
          as: 'lines',
          title: 'Heap in use',
          why: 'JavaScript objects; what rises without end leaks.',
          unit: 'bytes',
          queries: [[`nodejs_heap_size_used_bytes{${OURS}}`, '{{job}} {{instance}}']],
        },
        {
          as: 'lines',
          title: 'Event loop lag, p99',
          why: 'How long anything else waits for its turn.',
          unit: 's',
          queries: [[`nodejs_eventloop_lag_p99_seconds{${OURS}}`, '{{job}} {{instance}}']],
          runbook: 'api-slow',
        },
        {
          as: 'lines',
          title: 'Garbage collection',
          why: 'Share of time, by kind.',
          unit: 'percentunit',
          queries: [[rate('nodejs_gc_duration_seconds_sum', 'kind'), '{{kind}}']],
        },
        {
          as: 'lines',
          title: 'Open files and sockets',
          why: 'What rises without end leaks.',
          unit: 'short',
          queries: [[`process_open_fds{${OURS}}`, '{{job}} {{instance}}']],
        },
        {
          as: 'number',
          title: 'Restarts, last hour',
          why: 'Of processes that kept their address; elsewhere Kubernetes counts them.',
          unit: 'short',
          queries: [[`sum(changes(process_start_time_seconds{${OURS}}[1h]))`, 'restarts']],
        },
        {
          as: 'number',
          title: 'Processes',
          why: 'Scraped now.',
          unit: 'short',
          queries: [[`count by (job) (process_start_time_seconds{${OURS}})`, '{{job}}']],
        },
        {
          as: 'number',
          title: 'Alerts firing',
          why: 'Of the rules of deploy/prometheus.',
          unit: 'short',
          queries: [['count(ALERTS{alertname=~"Tapewatch.+",alertstate="firing"}) or vector(0)', 'firing']],
        },
      ],
    ],
  ],
};
