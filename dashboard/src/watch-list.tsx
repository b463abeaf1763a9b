/** The watch list: only the rows in sight exist, so that a thousand symbols cost what thirty do. */
import { signal, useComputed, useSignal } from '@preact/signals';
import { Component } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { oddness } from '../../src/views/watch-row.ts';
import { address, go } from './address.ts';
import { incidents } from './alerts.ts';
import { beat, change, isLoaded, now, oddLately, type Row, rows, upToNow } from './market.ts';
import { isNarrow, type Order, order } from './preferences.ts';
import { Sparkline } from './sparkline.tsx';
import { baseAsset, decimalsOf, oddStep, percent, price, quoteAsset, rarity } from './words.ts';

const ROW_PX = 30;
const SPARE_ROWS = 6;
/** Rows change places at most this often: a list that jumps can't be read. */
const SORT_MS = 1500;
const QUIET_MS = 60_000;
const ALERTS_SHOWN_MAX = 999;

export const search = signal('');

const COLUMNS: readonly (readonly [Order, string, string])[] = [
  ['symbol', 'Symbol', 'by name'],
  ['change', 'Price, 1 h', 'by change of the last hour'],
  ['odd', 'Odd', 'what is odd now first'],
  ['alerts', 'Alerts', 'by alerts of the last hour'],
];

export function WatchList() {
  const box = useRef<HTMLDivElement>(null);
  const top = useSignal(0);
  const height = useSignal(600);
  const sorted = useSorted();
  const { place } = address.value;
  const selected = place.view === 'symbol' ? place.symbol : null;
  useEffect(() => {
    const observer = new ResizeObserver(([entry]) => {
      height.value = entry!.contentRect.height;
    });
    observer.observe(box.current!);
    return () => observer.disconnect();
  }, []);
  void beat.value;
  const isMain = isNarrow.value && place.view === 'watch';
  const list = sorted.value;
  const first = Math.max(0, Math.floor(top.value / ROW_PX) - SPARE_ROWS);
  const shown = list.slice(first, first + Math.ceil(height.value / ROW_PX) + 2 * SPARE_ROWS);
  const atKey = (event: KeyboardEvent): void => {
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -1e6, End: 1e6 }[event.key];
    if (step === undefined || list.length === 0) return;
    event.preventDefault();
    const at = list.findIndex(({ symbol }) => symbol === selected);
    const to = Math.max(0, Math.min(list.length - 1, at < 0 ? 0 : at + step));
    go({ view: 'symbol', symbol: list[to]!.symbol });
    const y = to * ROW_PX;
    const element = box.current!;
    if (y < element.scrollTop) element.scrollTop = y;
    else if (y + ROW_PX > element.scrollTop + element.clientHeight)
      element.scrollTop = y + ROW_PX - element.clientHeight;
  };
  return (
    // On a phone it stands alone.
    <section class="watch" aria-label="Watch list" role={isMain ? 'main' : undefined}>
      {isMain && <h1 class="hidden">Watch list</h1>}
      <div class="watch-head">
        <label class="search">
          <span class="hidden">Search symbols</span>
          <input
            id="search"
            type="search"
            placeholder="Search symbols  /"
            value={search.value}
            onInput={({ currentTarget }) => {
              search.value = currentTarget.value;
            }}
          />
        </label>
        <span class="muted">{list.length}</span>
      </div>
      <div
        id="symbols"
        class="watch-grid"
        role="grid"
        aria-label="Symbols"
        aria-rowcount={list.length + 1}
        aria-activedescendant={shown.some(({ symbol }) => symbol === selected) ? `row-${selected}` : undefined}
        tabIndex={0}
        onKeyDown={atKey}
      >
        <div class="watch-row watch-columns" role="row" aria-rowindex={1}>
          {COLUMNS.map(([key, label, title]) => (
            <div
              key={key}
              role="columnheader"
              class={`c-${key}`}
              aria-sort={order.value !== key ? 'none' : key === 'symbol' ? 'ascending' : 'descending'}
            >
              <button
                type="button"
                title={`Sort ${title}`}
                class={order.value === key ? 'chosen' : ''}
                onClick={() => {
                  order.value = key;
                }}
              >
                {label}
              </button>
            </div>
          ))}
        </div>
        <div
          class="watch-rows"
          role="rowgroup"
          ref={box}
          onScroll={({ currentTarget }) => {
            top.value = currentTarget.scrollTop;
          }}
        >
          <div class="watch-space" role="presentation" style={{ height: `${list.length * ROW_PX}px` }}>
            {shown.map((row, i) => (
              <WatchRow
                key={row.symbol}
                row={row}
                version={upToNow(row).version}
                index={first + i}
                quiet={now - row.timestamp > QUIET_MS}
                selected={row.symbol === selected}
              />
            ))}
          </div>
        </div>
      </div>
      {isLoaded.value && rows.size === 0 && <p class="empty">No symbol has traded yet.</p>}
      {rows.size > 0 && list.length === 0 && <p class="empty">No symbol is called “{search.value}”.</p>}
    </section>
  );
}

function useSorted() {
  const tick = useSignal(0);
  useEffect(() => {
    const timer = setInterval(() => tick.value++, SORT_MS);
    return () => clearInterval(timer);
  }, []);
  return useComputed(() => {
    void tick.value;
    void isLoaded.value;
    void incidents.value;
    const text = search.value.trim().toUpperCase();
    const list = [...rows.values()].filter(({ symbol }) => symbol.includes(text));
    const by = KEYS[order.value] ?? KEYS.odd;
    return list
      .map((row) => ({ row, key: by(row) }))
      .sort((a, b) => b.key - a.key || (a.row.symbol < b.row.symbol ? -1 : 1))
      .map(({ row }) => row);
  });
}

const KEYS: Readonly<Record<Order, (row: Row) => number>> = {
  odd: oddLately,
  symbol: () => 0,
  change: (row) => Math.abs(change(row)),
  alerts: ({ alerts }) => alerts,
};

interface WatchRowProps {
  readonly row: Row;
  readonly version: number;
  readonly index: number;
  readonly selected: boolean;
  readonly quiet: boolean;
}

class WatchRow extends Component<WatchRowProps> {
  override shouldComponentUpdate(next: WatchRowProps): boolean {
    const { row, version, index, selected, quiet } = this.props;
    return (
      next.row !== row ||
      next.version !== version ||
      next.index !== index ||
      next.selected !== selected ||
      next.quiet !== quiet
    );
  }

  override render({ row, index, selected, quiet }: WatchRowProps) {
    const moved = change(row);
    const share = quiet ? 0 : oddness(row.score, row.level);
    return (
      <div
        id={`row-${row.symbol}`}
        role="row"
        aria-rowindex={index + 2}
        aria-selected={selected}
        class={`watch-row ${selected ? 'selected' : ''}`}
        style={{ transform: `translateY(${index * ROW_PX}px)` }}
        onClick={() => go({ view: 'symbol', symbol: row.symbol })}
      >
        <div role="gridcell" class="c-symbol">
          <span class="name">{baseAsset(row.symbol)}</span>
          <span class="muted quote">{quoteAsset(row.symbol)}</span>
          {row.halted && <span class="tag">halted</span>}
        </div>
        <div role="gridcell" class="c-spark">
          <Sparkline closes={row.closes} width={50} height={22} />
        </div>
        <div role="gridcell" class="c-change">
          <span class="price">{price(row.price, decimalsOf(row.price))}</span>
          <span class={moved > 0 ? 'up' : moved < 0 ? 'down' : 'muted'}>{percent(moved)}</span>
        </div>
        <div role="gridcell" class="c-odd" title={oddTitle(row, quiet)}>
          <span class={`odd odd-${oddStep(share)}`} style={{ '--share': Math.min(1, share) }}>
            {quiet ? 'quiet' : rarity(row.score)}
          </span>
        </div>
        <div role="gridcell" class={`c-alerts ${row.alerts > 0 ? '' : 'muted'}`}>
          {row.alerts > ALERTS_SHOWN_MAX ? `${ALERTS_SHOWN_MAX}+` : row.alerts}
        </div>
      </div>
    );
  }
}

function oddTitle(row: Row, quiet: boolean): string {
  if (quiet) return 'No trade within the last minute';
  return `As odd as now once in ${rarity(row.score)}; an alert opens at ${rarity(row.level)}`;
}
