/** The chart in the page: keyboard and screen reader around the canvas, which says nothing by itself. */
import { type Signal, useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import type { Anomaly, Bar, Trade } from '../../src/market/records.ts';
import { go } from './address.ts';
import type { Candle } from './candles.ts';
import { onBar, onTrades } from './market.ts';
import { isDark } from './preferences.ts';
import { PriceChart } from './price-chart.ts';
import { get } from './server.ts';
import { clock, decimalsOf, kindName, price, rarity, short } from './words.ts';

interface ChartProps {
  readonly symbol: string;
  readonly interval_s: number;
  readonly anomalies: readonly Anomaly[];
  /** These bars and no others; null: all there are, and those that come. */
  readonly bars: readonly Bar[] | null;
}

const CANDLES = 500;
/** What comes is drawn at most this often. */
const REDRAW_MS = 200;

export function Chart({ symbol, interval_s, anomalies, bars }: ChartProps) {
  const box = useRef<HTMLDivElement>(null);
  const chart = useRef<PriceChart | null>(null);
  const point = useSignal<Candle | null>(null);
  /** What the legend tells while the crosshair is nowhere. */
  const last = useSignal<Candle | null>(null);
  const spoken = useSignal('');
  const fault = useSignal('');
  useEffect(() => {
    const made = new PriceChart(box.current!, {
      interval_s,
      onOpen: (id) => go({ view: 'anomaly', id }),
      onPoint: (candle) => {
        point.value = candle;
      },
      older: bars ? null : (beforeMs) => barsBefore(symbol, interval_s, beforeMs),
    });
    chart.current = made;
    made.setAnomalies(anomalies);
    const drawn = (): void => {
      last.value = made.last;
    };
    const stop = bars
      ? showAlone(made, bars)
      : follow(made, symbol, interval_s, drawn, (text) => {
          fault.value = text;
        });
    drawn();
    const unpaint = isDark.subscribe(() => made.paint());
    return () => {
      unpaint();
      stop();
      made.remove();
      chart.current = null;
      point.value = null;
    };
  }, [symbol, interval_s, bars]);
  useEffect(() => chart.current?.setAnomalies(anomalies), [anomalies]);

  const atKey = (event: KeyboardEvent): void => {
    const made = chart.current;
    if (!made) return;
    if (event.key === '+' || event.key === '=') made.zoom(1.25);
    else if (event.key === '-') made.zoom(0.8);
    else if (event.key === 'End') made.toNow();
    else if (event.key === 'Enter' && point.value) {
      const anomaly = made.anomalyAt(point.value);
      if (anomaly) go({ view: 'anomaly', id: anomaly.id });
    } else if (event.key === 'ArrowLeft' || event.key === 'ArrowRight') {
      const by = (event.key === 'ArrowLeft' ? -1 : 1) * (event.shiftKey ? 10 : 1);
      const candle = made.step(by);
      point.value = candle;
      const anomaly = candle && made.anomalyAt(candle);
      if (candle)
        spoken.value = `${clock(candle.time * 1000)}, close ${candle.close}, volume ${short(candle.volume)}, as odd as once in ${rarity(candle.score)}${anomaly ? `; ${kindName(anomaly.kind)}, ${anomaly.severity}` : ''}`;
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div class="chart-frame">
      <Legend point={point} last={last} />
      {fault.value && <p class="empty">{fault.value}</p>}
      <div
        class="chart"
        ref={box}
        tabIndex={0}
        role="application"
        aria-roledescription="chart"
        aria-label={`${symbol}: candles of ${interval_s} seconds with volume, score and anomalies. Left and right move by a candle, Enter opens an anomaly, plus and minus zoom, End goes to the present.`}
        onKeyDown={atKey}
      />
      <p class="hidden" aria-live="polite">
        {spoken.value}
      </p>
    </div>
  );
}

interface LegendProps {
  readonly point: Signal<Candle | null>;
  readonly last: Signal<Candle | null>;
}

/** Reads for itself what changes several times a second, so that nothing around it is drawn anew. */
function Legend({ point, last }: LegendProps) {
  const candle = point.value ?? last.value;
  if (!candle) return <div class="legend" aria-hidden="true" />;
  const decimals = decimalsOf(candle.close);
  const part = (name: string, value: string) => (
    <span key={name}>
      <i>{name}</i> {value}
    </span>
  );
  return (
    <div class="legend" aria-hidden="true">
      {part('', clock(candle.time * 1000))}
      {part('O', price(candle.open, decimals))}
      {part('H', price(candle.high, decimals))}
      {part('L', price(candle.low, decimals))}
      {part('C', price(candle.close, decimals))}
      {part('vol', short(candle.volume))}
      {part('trades', short(candle.trades))}
      {part('once in', rarity(candle.score))}
    </div>
  );
}

function showAlone(chart: PriceChart, bars: readonly Bar[]): () => void {
  chart.setBars(bars);
  chart.showAll();
  return () => undefined;
}

/** Loads what there is and goes on with what comes; bars that come meanwhile are kept. */
function follow(
  chart: PriceChart,
  symbol: string,
  interval_s: number,
  drawn: () => void,
  fail: (text: string) => void,
): () => void {
  let loaded = false;
  let bars: Bar[] = [];
  let trades: Trade[] = [];
  const offBars = onBar(symbol, (bar) => bars.push(bar));
  const offTrades = onTrades((more) => trades.push(...more));
  const timer = setInterval(() => {
    if (!loaded) return;
    if (bars.length > 0) chart.takeBars(bars);
    if (trades.length > 0) chart.takeTrades(trades);
    drawn();
    bars = [];
    trades = [];
  }, REDRAW_MS);
  const abort = new AbortController();
  recentBars(symbol, interval_s, abort.signal).then(
    (before) => {
      loaded = true;
      chart.setBars(before);
      drawn();
      if (before.length > 0) fail('');
    },
    (error: unknown) => {
      if (!abort.signal.aborted) fail(error instanceof Error ? error.message : String(error));
    },
  );
  return () => {
    abort.abort();
    clearInterval(timer);
    offBars();
    offTrades();
  };
}

interface Bars {
  readonly items: readonly Bar[];
}

/** Candles gathered by the server, but the last one in its seconds, so that what comes can be added to it. */
async function recentBars(symbol: string, interval_s: number, signal: AbortSignal): Promise<readonly Bar[]> {
  const { items } = await get<Bars>(`v1/bars?symbol=${symbol}&interval=${interval_s}`, signal);
  const last = items.at(-1);
  if (!last || interval_s === 1) return items.slice(-2 * CANDLES);
  const running = await get<Bars>(`v1/bars?symbol=${symbol}&from=${last.timestamp}`, signal);
  return [...items.slice(-2 * CANDLES, -1), ...running.items];
}

/** Looks further back where a stretch has none: the feed may have been lost for a while. */
async function barsBefore(symbol: string, interval_s: number, beforeMs: number): Promise<readonly Bar[]> {
  for (const stretch of [1, 8, 64]) {
    const from = beforeMs - stretch * CANDLES * interval_s * 1000;
    const { items } = await get<Bars>(`v1/bars?symbol=${symbol}&interval=${interval_s}&from=${from}&to=${beforeMs}`);
    if (items.length > 0) return items;
  }
  return [];
}
