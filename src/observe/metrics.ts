/** Every metric there is. Prefix tapewatch_, base units, bounded labels. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import { SeriesHistogram } from './series-histogram.ts';

/** Series of anomalies_total: beyond this many the symbol is called "other". */
const ANOMALY_SERIES_MAX = 2000;
const FAST_SECONDS: readonly number[] = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5];

/** An answer takes some tens of microseconds. */
const HTTP_SECONDS: readonly number[] = [0.000025, 0.00005, ...FAST_SECONDS];
const SIZE_BYTES: readonly number[] = [256, 1024, 4096, 16_384, 65_536, 262_144, 1_048_576, 8_388_608];

export class Metrics {
  readonly registry: Registry = new Registry();
  readonly trades: Counter<'exchange'>;
  readonly scoredTrades: Counter;
  readonly httpSeconds: SeriesHistogram<'method' | 'route' | 'status'>;
  readonly httpRequestBytes: SeriesHistogram<'method' | 'route'>;
  readonly httpResponseBytes: SeriesHistogram<'method' | 'route'>;
  readonly httpInFlight: Gauge;
  readonly scoreSeconds: Histogram;
  readonly alertLatency: Histogram;
  readonly lag: Gauge<'group' | 'topic' | 'partition'>;
  readonly feedConnected: Gauge<'connection'>;
  readonly gapTrades: Counter<'outcome'>;
  readonly lateTrades: Counter;
  readonly lastTrade: Gauge;
  readonly transactions: Counter<'outcome'>;
  readonly restoreSeconds: Histogram;
  readonly restoring: Gauge;
  readonly modelInfo: Gauge<'name' | 'version'>;
  readonly #anomalies: Counter<'symbol' | 'kind' | 'severity'>;
  readonly #anomalySeries = new Set<string>();

  constructor() {
    const registers = [this.registry];
    collectDefaultMetrics({ register: this.registry });
    const buckets = [...FAST_SECONDS];
    this.trades = new Counter({
      name: 'tapewatch_trades_total',
      help: 'Trades captured.',
      labelNames: ['exchange'],
      registers,
    });
    this.scoredTrades = new Counter({
      name: 'tapewatch_trades_scored_total',
      help: 'Trades scored in a step that was committed.',
      registers,
    });
    this.#anomalies = new Counter({
      name: 'tapewatch_anomalies_total',
      help: 'Anomaly records written, closes left out.',
      labelNames: ['symbol', 'kind', 'severity'],
      registers,
    });
    this.httpSeconds = new SeriesHistogram({
      name: 'tapewatch_http_request_duration_seconds',
      help: 'Time to answer a request.',
      labelNames: ['method', 'route', 'status'],
      buckets: HTTP_SECONDS,
      registry: this.registry,
    });
    const sizes = { labelNames: ['method', 'route'] as const, buckets: SIZE_BYTES, registry: this.registry };
    this.httpRequestBytes = new SeriesHistogram({
      name: 'tapewatch_http_request_size_bytes',
      help: 'Bodies of requests.',
      ...sizes,
    });
    this.httpResponseBytes = new SeriesHistogram({
      name: 'tapewatch_http_response_size_bytes',
      help: 'Bodies of answers.',
      ...sizes,
    });
    this.httpInFlight = new Gauge({
      name: 'tapewatch_http_requests_in_flight',
      help: 'Requests taken and not yet answered, streams among them.',
      registers,
    });
    this.scoreSeconds = new Histogram({
      name: 'tapewatch_score_duration_seconds',
      help: 'Time to score a batch and commit it.',
      buckets,
      registers,
    });
    this.alertLatency = new Histogram({
      name: 'tapewatch_alert_latency_seconds',
      help: 'From exchange time to anomaly written.',
      buckets: [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60],
      registers,
    });
    this.lag = new Gauge({
      name: 'tapewatch_consumer_lag_records',
      help: 'Records not yet consumed.',
      labelNames: ['group', 'topic', 'partition'],
      registers,
    });
    this.feedConnected = new Gauge({
      name: 'tapewatch_feed_connected',
      help: '1 while connected.',
      labelNames: ['connection'],
      registers,
    });
    this.gapTrades = new Counter({
      name: 'tapewatch_feed_gap_trades_total',
      help: 'Trades in holes.',
      labelNames: ['outcome'],
      registers,
    });
    // From the start, so that the first loss is an increase.
    for (const outcome of ['repaired', 'lost']) this.gapTrades.inc({ outcome }, 0);
    this.lateTrades = new Counter({
      name: 'tapewatch_feed_late_trades_total',
      help: 'Trades stamped before what a heartbeat had promised.',
      registers,
    });
    this.lastTrade = new Gauge({
      name: 'tapewatch_feed_last_trade_timestamp_seconds',
      help: 'When a trade last came.',
      registers,
    });
    this.transactions = new Counter({
      name: 'tapewatch_transactions_total',
      help: 'Atomic steps.',
      labelNames: ['outcome'],
      registers,
    });
    for (const outcome of ['committed', 'retried', 'aborted']) this.transactions.inc({ outcome }, 0);
    this.restoreSeconds = new Histogram({
      name: 'tapewatch_restore_duration_seconds',
      help: 'Time to restore a partition.',
      buckets: [0.01, 0.1, 1, 10, 60],
      registers,
    });
    this.restoring = new Gauge({
      name: 'tapewatch_partitions_restoring',
      help: 'Partitions assigned whose state is not restored yet.',
      registers,
    });
    this.modelInfo = new Gauge({
      name: 'tapewatch_model_info',
      help: 'The model in force.',
      labelNames: ['name', 'version'],
      registers,
    });
  }

  countAnomaly(symbol: string, kind: string, severity: string): void {
    const name = this.#anomalySeries.has(symbol) || this.#anomalySeries.size < ANOMALY_SERIES_MAX ? symbol : 'other';
    this.#anomalySeries.add(name);
    this.#anomalies.inc({ symbol: name, kind, severity });
  }
}
