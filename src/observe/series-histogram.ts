/**
 * A Prometheus histogram whose series are held by those that count: an observation is a few additions. prom-client looks the
 * labels up at each, which costs more than scoring a row. Registered like its metrics, and exported the same.
 */
import type { Registry } from 'prom-client';

export interface SeriesHistogramOptions<Label extends string> {
  readonly name: string;
  readonly help: string;
  readonly labelNames: readonly Label[];
  /** Upper bounds, ascending. */
  readonly buckets: readonly number[];
  readonly registry: Registry;
}

export interface HistogramSeries {
  observe(value: number): void;
}

export class SeriesHistogram<Label extends string> {
  readonly name: string;
  readonly #help: string;
  readonly #labelNames: readonly Label[];
  readonly #bounds: Float64Array;
  readonly #series = new Map<string, Series>();

  constructor({ name, help, labelNames, buckets, registry }: SeriesHistogramOptions<Label>) {
    this.name = name;
    this.#help = help;
    this.#labelNames = labelNames;
    this.#bounds = Float64Array.from(buckets);
    // All that a registry calls is get and reset.
    registry.registerMetric(this as never);
  }

  /** The series of these labels, to be kept: the same at each call. */
  labels(labels: Readonly<Record<Label, string>>): HistogramSeries {
    const key = JSON.stringify(this.#labelNames.map((name) => labels[name]));
    let series = this.#series.get(key);
    if (!series) {
      series = new Series(labels, this.#bounds);
      this.#series.set(key, series);
    }
    return series;
  }

  /** As prom-client's histograms give it. */
  async get(): Promise<object> {
    const { name } = this;
    const values = [...this.#series.values()].flatMap((series) => series.values(name));
    return { name, help: this.#help, type: 'histogram', aggregator: 'sum', values };
  }

  reset(): void {
    for (const series of this.#series.values()) series.reset();
  }
}

class Series implements HistogramSeries {
  readonly #labels: Readonly<Record<string, string>>;
  readonly #bounds: Float64Array;
  /** By bucket, the last for what is above all bounds; not cumulative. */
  readonly #counts: Float64Array;
  #sum = 0;

  constructor(labels: Readonly<Record<string, string>>, bounds: Float64Array) {
    this.#labels = labels;
    this.#bounds = bounds;
    this.#counts = new Float64Array(bounds.length + 1);
  }

  observe(value: number): void {
    const bounds = this.#bounds;
    let bucket = 0;
    while (bucket < bounds.length && !(value <= bounds[bucket]!)) bucket++;
    this.#counts[bucket] = this.#counts[bucket]! + 1;
    this.#sum += value;
  }

  reset(): void {
    this.#counts.fill(0);
    this.#sum = 0;
  }

  /** Nothing before the first observation. */
  values(name: string): object[] {
    let count = 0;
    const buckets = Array.from(this.#counts, (its, i) => {
      count += its;
      return { labels: { le: this.#bounds[i] ?? '+Inf', ...this.#labels }, value: count, metricName: `${name}_bucket` };
    });
    if (count === 0) return [];
    return [
      ...buckets,
      { labels: this.#labels, value: this.#sum, metricName: `${name}_sum` },
      { labels: this.#labels, value: count, metricName: `${name}_count` },
    ];
  }
}
