/** The whole market: a row a symbol, a column a quarter of a minute. Where many turn odd together a column lights up. */
import { useSignal } from '@preact/signals';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import { marketMoves } from '../../src/market/market-move.ts';
import type { Anomaly } from '../../src/market/records.ts';
import { go, hrefOf } from './address.ts';
import { incidents } from './alerts.ts';
import { beat, now, oddLately, type Row, rows, STEP_S, STEPS, upToNow } from './market.ts';
import { isDark } from './preferences.ts';
import { clock, duration, kindName, oddStep, rarity } from './words.ts';

const ROWS_MAX = 60;
const ODD_FROM = 0.75;

export function oddCounts(): readonly number[] {
  const counts = new Array<number>(STEPS).fill(0);
  for (const row of rows.values())
    upToNow(row).peaks.forEach((peak, i) => {
      if (peak >= ODD_FROM) counts[i]!++;
    });
  return counts;
}

/** A strip of bars: how many symbols were odd in each quarter of a minute. */
export function MarketStrip() {
  void beat.value;
  const counts = oddCounts();
  const present = Math.max(counts.at(-1) ?? 0, counts.at(-2) ?? 0);
  const most = Math.max(5, rows.size / 5, ...counts);
  const many = manyOf(rows.size);
  return (
    <a class="strip" href={hrefOf({ view: 'market' })}>
      <svg viewBox={`0 0 ${STEPS * 3} 24`} width={STEPS * 3} height={24} aria-hidden="true">
        {counts.map((count, i) => (
          <rect
            key={i}
            x={i * 3}
            width={2}
            y={24 - Math.max(1, (count / most) * 24)}
            height={Math.max(1, (count / most) * 24)}
            class={count >= many ? 'many' : count > 0 ? 'some' : 'none'}
          />
        ))}
      </svg>
      <span class="strip-text">
        <b>{present}</b> odd now<span class="hidden"> of {rows.size} symbols: the market</span>
      </span>
    </a>
  );
}

function manyOf(symbols: number): number {
  return Math.max(5, symbols / 5);
}

export function MarketView() {
  void beat.value;
  const canvas = useRef<HTMLCanvasElement>(null);
  const hover = useSignal<{ row: Row; step: number } | null>(null);
  const list = [...rows.values()]
    .sort((a, b) => heat(b) - heat(a) || (a.symbol < b.symbol ? -1 : 1))
    .slice(0, ROWS_MAX);
  const dark = isDark.value;
  useEffect(() => draw(canvas.current, list));
  const rowPx = rowHeight(list.length);
  const at = (event: MouseEvent): { row: Row; step: number } | null => {
    const box = canvas.current!.getBoundingClientRect();
    const row = list[Math.floor((event.clientY - box.top) / rowPx)];
    return row ? { row, step: Math.floor(((event.clientX - box.left) / box.width) * STEPS) } : null;
  };
  const pointed = hover.value;
  const { moves, byId } = useMoves();
  return (
    <section class="market-view" data-dark={dark} aria-labelledby="market-title">
      <header class="view-head">
        <h1 id="market-title">Market</h1>
        <span class="muted">
          {pointed
            ? `${pointed.row.symbol}  ${clock(now - (STEPS - 1 - pointed.step) * STEP_S * 1000)}  ${Math.round((pointed.row.peaks[pointed.step] ?? 0) * 100)} % of the way to an alert`
            : `how near each symbol came to its alert level, last ${(STEPS * STEP_S) / 60} minutes`}
        </span>
      </header>
      <div class="market-body">
        <div class="heat">
          <div class="heat-names">
            {list.map((row) => (
              <a
                key={row.symbol}
                href={hrefOf({ view: 'symbol', symbol: row.symbol })}
                style={{ height: `${rowPx}px` }}
              >
                {row.symbol}
                <span class="muted">{rarity(row.score)}</span>
              </a>
            ))}
          </div>
          <canvas
            ref={canvas}
            style={{ height: `${list.length * rowPx}px` }}
            role="img"
            aria-label={`Heat map of ${list.length} symbols over the last ${(STEPS * STEP_S) / 60} minutes; the watch list holds the same`}
            onMouseMove={(event) => {
              hover.value = at(event);
            }}
            onMouseLeave={() => {
              hover.value = null;
            }}
            onClick={(event) => {
              const pointedAt = at(event);
              if (pointedAt) go({ view: 'symbol', symbol: pointedAt.row.symbol });
            }}
          />
        </div>
        <div class="heat-axis" aria-hidden="true">
          {[15, 10, 5, 0].map((minutes) => (
            <span key={minutes}>{minutes === 0 ? 'now' : `${minutes} min ago`}</span>
          ))}
        </div>
        <section aria-labelledby="wide-title">
          <h2 id="wide-title">Many at once</h2>
          {moves.length === 0 && (
            <p class="muted">
              No time so far when {Math.ceil(manyOf(rows.size))} or more symbols had alerts the same way within moments.
            </p>
          )}
          <ul class="wide-list">
            {moves.map(({ from, to, direction, symbols, members }) => {
              const first = byId.get(members[0]!)!;
              return (
                <li key={members[0]}>
                  <span class="number">{clock(from)}</span>
                  <span class={direction}>{direction === 'up' ? '▲ up' : '▼ down'}</span>
                  <b>{symbols.length} symbols</b>
                  <span class="muted">
                    within {duration((to - from) / 1000)}, first{' '}
                    <a href={hrefOf({ view: 'anomaly', id: first.id })}>
                      {first.symbol} {kindName(first.kind)}
                    </a>
                  </span>
                </li>
              );
            })}
          </ul>
        </section>
      </div>
    </section>
  );
}

const MOVES_MAX = 20;

/** Moves of the whole market, newest first, and the records they name. */
function useMoves() {
  const all = incidents.value;
  const watched = rows.size;
  return useMemo(() => {
    const records = all.flatMap((incident) => incident.records).sort(inOrder);
    const moves = marketMoves(records, watched).reverse().slice(0, MOVES_MAX);
    return { moves, byId: new Map(records.map((record) => [record.id, record])) };
  }, [all, watched]);
}

function inOrder(a: Anomaly, b: Anomaly): number {
  return a.timestamp - b.timestamp || (a.symbol < b.symbol ? -1 : a.symbol > b.symbol ? 1 : 0);
}

/** What has been odd lately keeps its place for a while. */
function heat(row: Row): number {
  const { peaks } = upToNow(row);
  let sum = oddLately(row);
  for (let i = 0; i < STEPS; i++) sum += Math.max(0, (peaks[i] ?? 0) - 0.5) * (i / STEPS);
  return sum;
}

function rowHeight(count: number): number {
  return count > 30 ? 14 : count > 15 ? 20 : 26;
}

function draw(canvas: HTMLCanvasElement | null, list: readonly Row[]): void {
  const context = canvas?.getContext('2d');
  if (!canvas || !context) return;
  const ratio = devicePixelRatio;
  const width = canvas.clientWidth;
  const height = list.length * rowHeight(list.length);
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const style = getComputedStyle(document.documentElement);
  const colours = [0, 1, 2, 3].map((step) => style.getPropertyValue(`--odd-${step}`));
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  const cell = width / STEPS;
  const rowPx = rowHeight(list.length);
  list.forEach((row, y) => {
    row.peaks.forEach((peak, x) => {
      if (peak <= 0.02) return;
      const step = oddStep(peak);
      context.globalAlpha = step === 0 ? 0.25 + peak : 1;
      context.fillStyle = colours[step]!;
      context.fillRect(x * cell + 0.5, y * rowPx + 1, cell - 1, rowPx - 2);
    });
  });
  context.globalAlpha = 1;
}
