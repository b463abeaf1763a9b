/**
 * Candles with volume, the score beneath with its level, anomalies as markers. Markers are given to the chart only for
 * what is in sight, one a candle: the official plugin places all it holds anew at every update, so that thousands of
 * them would slow each tick (lightweight-charts#767).
 */
import {
  type CandlestickData,
  CandlestickSeries,
  CrosshairMode,
  createChart,
  createSeriesMarkers,
  createTextWatermark,
  HistogramSeries,
  type IChartApi,
  type ISeriesApi,
  type ISeriesMarkersPluginApi,
  type ITextWatermarkPluginApi,
  LineSeries,
  LineType,
  type MouseEventParams,
  type SeriesMarker,
  type Time,
  type UTCTimestamp,
} from 'lightweight-charts';
import type { Anomaly, Bar, Trade } from '../../src/market/records.ts';
import { oddness } from '../../src/views/watch-row.ts';
import { type Candle, CandleRow } from './candles.ts';
import { decimalsOf, kindName, oddStep, rarity, SEVERITY_RANK } from './words.ts';

const SCORE_TITLE = ' how rare each moment is: seen once in …';
const MARKERS_MAX = 150;
/** Room a marker's text takes; a neighbour within it has none. */
const TEXT_PX = 90;
/** Of few candles that are shown whole, px. */
const SPACING_MAX = 12;
/** With more candles than this the oldest go, down to so many. */
const CANDLES_MAX = 6000;
const CANDLES_KEPT = 4000;
/** Older candles are asked for when fewer than this many are left of the view. */
const AHEAD = 30;

export interface PriceChartOptions {
  readonly interval_s: number;
  readonly onOpen: (anomalyId: string) => void;
  /** Bars before a time, ms; empty where there are none. */
  readonly older: ((beforeMs: number) => Promise<readonly Bar[]>) | null;
  /** What the crosshair is on; null when it left. */
  readonly onPoint: (candle: Candle | null) => void;
}

/** What opens an incident or makes it worse. */
function isMarked({ phase }: Anomaly): boolean {
  return phase === 'open' || phase === 'escalate';
}

function worseOf(before: Anomaly | undefined, anomaly: Anomaly): Anomaly {
  return before && SEVERITY_RANK[before.severity] >= SEVERITY_RANK[anomaly.severity] ? before : anomaly;
}

interface Colours {
  readonly [name: string]: string;
}

export class PriceChart {
  readonly #options: PriceChartOptions;
  readonly #chart: IChartApi;
  readonly #candles: ISeriesApi<'Candlestick'>;
  readonly #volume: ISeriesApi<'Histogram'>;
  readonly #score: ISeriesApi<'Histogram'>;
  readonly #level: ISeriesApi<'Line'>;
  readonly #markers: ISeriesMarkersPluginApi<Time>;
  readonly #scoreTitle: ITextWatermarkPluginApi<Time>;
  readonly #row: CandleRow;
  #colours: Colours = {};
  #anomalies: readonly Anomaly[] = [];
  #marked = '';
  #isAsking = false;
  #isComplete = false;
  #cursor: number | null = null;
  #decimals = 2;

  constructor(element: HTMLElement, options: PriceChartOptions) {
    this.#options = options;
    this.#row = new CandleRow(options.interval_s);
    this.#chart = createChart(element, {
      autoSize: true,
      layout: { attributionLogo: true, fontSize: 11, panes: { enableResize: true } },
      crosshair: { mode: CrosshairMode.Normal },
      timeScale: { timeVisible: true, secondsVisible: options.interval_s < 60, rightOffset: 4, barSpacing: 7 },
    });
    this.#candles = this.#chart.addSeries(CandlestickSeries, { borderVisible: false, priceLineStyle: 1 }, 0);
    this.#volume = this.#chart.addSeries(
      HistogramSeries,
      { priceScaleId: 'volume', priceFormat: { type: 'volume' }, lastValueVisible: false, priceLineVisible: false },
      0,
    );
    this.#chart.priceScale('volume', 0).applyOptions({ scaleMargins: { top: 0.82, bottom: 0 } });
    this.#candles.priceScale().applyOptions({ scaleMargins: { top: 0.12, bottom: 0.22 } });
    const rarityFormat = { type: 'custom', formatter: rarity, minMove: 0.01 } as const;
    this.#score = this.#chart.addSeries(
      HistogramSeries,
      { priceFormat: rarityFormat, priceLineVisible: false, lastValueVisible: true },
      1,
    );
    this.#level = this.#chart.addSeries(
      LineSeries,
      {
        priceFormat: rarityFormat,
        lineType: LineType.WithSteps,
        lineWidth: 1,
        lineStyle: 2,
        priceLineVisible: false,
        crosshairMarkerVisible: false,
        title: 'alert',
      },
      1,
    );
    this.#score.priceScale().applyOptions({ scaleMargins: { top: 0.15, bottom: 0 } });
    const [upper, lower] = this.#chart.panes();
    upper?.setStretchFactor(3);
    lower?.setStretchFactor(1);
    this.#scoreTitle = createTextWatermark<Time>(lower!, { horzAlign: 'left', vertAlign: 'top' });
    this.#markers = createSeriesMarkers(this.#candles, [], { autoScale: false });
    this.paint();
    this.#chart.timeScale().subscribeVisibleLogicalRangeChange(() => {
      this.#mark();
      void this.#reachBack();
    });
    this.#chart.subscribeClick((event) => this.#open(event));
    this.#chart.subscribeCrosshairMove(({ time }) => {
      this.#cursor = time === undefined ? null : this.#row.indexOf(Number(time));
      options.onPoint(this.#cursor === null ? null : (this.#row.at(this.#cursor) ?? null));
    });
  }

  /** Takes the colours of the theme in force. */
  paint(): void {
    const style = getComputedStyle(document.documentElement);
    const colour = (name: string): string => style.getPropertyValue(`--${name}`).trim();
    const names = ['panel', 'line', 'muted', 'up', 'down', 'up-soft', 'down-soft', 'notice', 'warning', 'critical'];
    this.#colours = Object.fromEntries(
      [...names, 'odd-0', 'odd-1', 'odd-2', 'odd-3'].map((name) => [name, colour(name)]),
    );
    const { panel, line, muted, up, down } = this.#colours as Record<string, string>;
    this.#chart.applyOptions({
      layout: { background: { color: panel! }, textColor: muted!, panes: { separatorColor: line! } },
      grid: { vertLines: { color: line! }, horzLines: { color: line! } },
      timeScale: { borderColor: line! },
      rightPriceScale: { borderColor: line! },
    });
    this.#candles.applyOptions({ upColor: up!, downColor: down!, wickUpColor: up!, wickDownColor: down! });
    this.#scoreTitle.applyOptions({
      lines: [
        { text: '', fontSize: 5 },
        { text: SCORE_TITLE, color: muted!, fontSize: 11 },
      ],
    });
    this.#level.applyOptions({ color: this.#colours['critical']! });
    this.#setAll();
    this.#marked = '';
    this.#mark();
  }

  setBars(bars: readonly Bar[]): void {
    this.#row.set(bars);
    this.#setAll();
  }

  /** Newer bars, oldest first: each candle they change is drawn once. */
  takeBars(bars: readonly Bar[]): void {
    const changed = new Map<number, Candle>();
    for (const bar of bars) {
      const candle = this.#row.take(bar);
      if (candle) changed.set(candle.time, candle);
    }
    for (const candle of changed.values()) {
      this.#candles.update(this.#candleOf(candle));
      this.#volume.update(this.#volumeOf(candle));
      this.#score.update(this.#scoreOf(candle));
      this.#level.update(this.#levelOf(candle));
    }
    this.#forget();
  }

  /** A page that is open for days keeps what can be scrolled to in a while, unless that is just being looked at. */
  #forget(): void {
    if (this.#row.length <= CANDLES_MAX) return;
    const range = this.#chart.timeScale().getVisibleLogicalRange();
    if (!range || range.from < this.#row.length - CANDLES_KEPT + AHEAD) return;
    this.#row.keep(CANDLES_KEPT);
    this.#isComplete = false;
    this.#setAll();
  }

  /** The price within the running second; its volume comes with the bar. */
  takeTrades(trades: readonly Trade[]): void {
    const candle = this.#row.takeTrades(trades);
    if (candle) this.#candles.update(this.#candleOf(candle));
  }

  setAnomalies(anomalies: readonly Anomaly[]): void {
    this.#anomalies = anomalies;
    this.#marked = '';
    this.#mark();
  }

  /** All candles in sight, but no wider than they read well. */
  showAll(): void {
    const scale = this.#chart.timeScale();
    scale.fitContent();
    if (scale.options().barSpacing <= SPACING_MAX) return;
    scale.applyOptions({ barSpacing: SPACING_MAX });
    scale.scrollToRealTime();
  }

  /** Moves the crosshair by candles, for the keyboard; gives what it is on. */
  step(by: number): Candle | null {
    const at = Math.max(0, Math.min(this.#row.length - 1, (this.#cursor ?? this.#row.length) + by));
    const candle = this.#row.at(at);
    if (!candle) return null;
    this.#cursor = at;
    this.#chart.setCrosshairPosition(candle.close, candle.time as UTCTimestamp, this.#candles);
    const scale = this.#chart.timeScale();
    const range = scale.getVisibleLogicalRange();
    const place = scale.timeToIndex(candle.time as UTCTimestamp) ?? at;
    if (range && (place < range.from || place > range.to)) {
      const half = (range.to - range.from) / 2;
      scale.setVisibleLogicalRange({ from: place - half, to: place + half });
    }
    return candle;
  }

  zoom(by: number): void {
    const scale = this.#chart.timeScale();
    scale.applyOptions({ barSpacing: Math.max(0.6, Math.min(60, scale.options().barSpacing * by)) });
  }

  toNow(): void {
    this.#chart.timeScale().scrollToRealTime();
  }

  /** The newest candle. */
  get last(): Candle | null {
    return this.#row.at(this.#row.length - 1) ?? null;
  }

  /** The one that is marked at a candle: the worst. */
  anomalyAt({ time }: Candle): Anomaly | undefined {
    return this.#anomalies
      .filter((anomaly) => isMarked(anomaly) && this.#candleTimeOf(anomaly) === time)
      .reduce<Anomaly | undefined>(worseOf, undefined);
  }

  /** Where an anomaly stands: at the last candle that began by then. */
  #candleTimeOf({ timestamp }: Anomaly): number | null {
    return this.#row.nearest(this.#row.timeOf(timestamp));
  }

  remove(): void {
    this.#chart.remove();
  }

  #setAll(): void {
    const candles = this.#row.all();
    const last = candles.at(-1);
    if (last) {
      this.#decimals = Math.max(decimalsOf(last.close), decimalsOf(last.open));
      const minMove = 10 ** -this.#decimals;
      this.#candles.applyOptions({ priceFormat: { type: 'price', precision: this.#decimals, minMove } });
    }
    // In a picture of certain minutes time passes evenly, also where nothing traded.
    const pauses = this.#options.older ? [] : this.#row.pauses();
    this.#candles.setData(
      [
        ...candles.map((candle) => this.#candleOf(candle)),
        ...pauses.map((time) => ({ time: time as UTCTimestamp })),
      ].sort((a, b) => Number(a.time) - Number(b.time)),
    );
    this.#volume.setData(candles.map((candle) => this.#volumeOf(candle)));
    this.#score.setData(candles.map((candle) => this.#scoreOf(candle)));
    this.#level.setData(candles.map((candle) => this.#levelOf(candle)));
  }

  #candleOf({ time, open, high, low, close }: Candle): CandlestickData<Time> {
    return { time: time as UTCTimestamp, open, high, low, close };
  }

  #volumeOf({ time, open, close, volume }: Candle): { time: UTCTimestamp; value: number; color: string } {
    return {
      time: time as UTCTimestamp,
      value: volume,
      color: this.#colours[close >= open ? 'up-soft' : 'down-soft']!,
    };
  }

  /** History has neither score nor level: nothing is drawn there. */
  #levelOf({ time, level }: Candle): { time: UTCTimestamp; value?: number } {
    return level > 0 ? { time: time as UTCTimestamp, value: level } : { time: time as UTCTimestamp };
  }

  #scoreOf({ time, score, level }: Candle): { time: UTCTimestamp; value: number; color: string } {
    const step = oddStep(oddness(score, level));
    return { time: time as UTCTimestamp, value: Math.max(0, score), color: this.#colours[`odd-${step}`]! };
  }

  #mark(): void {
    const range = this.#chart.timeScale().getVisibleRange();
    if (!range) return;
    const from = Number(range.from) * 1000;
    const to = (Number(range.to) + this.#options.interval_s) * 1000;
    const worst = new Map<number, Anomaly>();
    for (const anomaly of this.#anomalies) {
      const { timestamp } = anomaly;
      if (timestamp < from || timestamp >= to || !isMarked(anomaly)) continue;
      const time = this.#candleTimeOf(anomaly);
      if (time !== null) worst.set(time, worseOf(worst.get(time), anomaly));
    }
    let marked = [...worst].sort(([a], [b]) => a - b);
    if (marked.length > MARKERS_MAX)
      marked = marked.filter(([, { severity }]) => severity !== 'notice').slice(-MARKERS_MAX);
    const worded = this.#withRoom(marked);
    const key = marked.map(([time, { id }]) => `${time}${id}${worded.has(time)}`).join();
    if (key === this.#marked) return;
    this.#marked = key;
    this.#markers.setMarkers(
      marked.map(
        ([time, { id, direction, severity, kind }]): SeriesMarker<Time> => ({
          time: time as UTCTimestamp,
          id,
          position: direction === 'up' ? 'belowBar' : 'aboveBar',
          shape: direction === 'up' ? 'arrowUp' : direction === 'down' ? 'arrowDown' : 'circle',
          color: this.#colours[severity]!,
          ...(worded.has(time) ? { text: kindName(kind) } : {}),
        }),
      ),
    );
  }

  /** Which of the markers have room for a text, the worst first. */
  #withRoom(marked: readonly (readonly [number, Anomaly])[]): ReadonlySet<number> {
    const pixels = this.#chart.timeScale().options().barSpacing;
    const worded = new Set<number>();
    const taken: number[] = [];
    const byRank = [...marked].sort(([, a], [, b]) => SEVERITY_RANK[b.severity] - SEVERITY_RANK[a.severity]);
    for (const [time] of byRank) {
      const at = (this.#row.indexOf(time) ?? 0) * pixels;
      if (taken.some((other) => Math.abs(other - at) < TEXT_PX)) continue;
      taken.push(at);
      worded.add(time);
    }
    return worded;
  }

  #open(event: MouseEventParams): void {
    const hovered = event.hoveredInfo?.objectId;
    if (typeof hovered === 'string') this.#options.onOpen(hovered);
  }

  async #reachBack(): Promise<void> {
    const { older } = this.#options;
    const range = this.#chart.timeScale().getVisibleLogicalRange();
    const first = this.#row.at(0);
    if (!older || !range || !first || this.#isAsking || this.#isComplete || range.from > AHEAD) return;
    this.#isAsking = true;
    try {
      const bars = await older(first.time * 1000);
      const added = this.#row.prepend(bars);
      if (added === 0) this.#isComplete = true;
      else this.#setAll();
    } catch {
      // The server may be gone for a moment: the next scroll asks again.
    } finally {
      this.#isAsking = false;
    }
  }
}
