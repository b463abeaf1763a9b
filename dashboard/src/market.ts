/**
 * Every symbol's present and recent past, in place: bars change rows, and a beat a few times a second tells views to
 * look. Rows are plain objects, so that hundreds of bars a second cost no signal each.
 */
import { signal } from '@preact/signals';
import type { Bar, Status, Trade } from '../../src/market/records.ts';
import { oddness } from '../../src/views/watch-row.ts';

export interface Row {
  readonly symbol: string;
  price: number;
  timestamp: number;
  score: number;
  level: number;
  reference: number;
  alerts: number;
  /** Steps of equal length, oldest first, the last one running. */
  closes: (number | null)[];
  peaks: number[];
  /** Number of the last step since the epoch. */
  step: number;
  halted: boolean;
  /** Grows with each change that shows. */
  version: number;
}

export const STEPS = 60;
export const STEP_S = 15;
const BEAT_MS = 250;

export interface WatchAnswer {
  readonly now: number;
  readonly items: readonly Pick<
    Row,
    'symbol' | 'price' | 'timestamp' | 'score' | 'level' | 'halted' | 'reference' | 'alerts' | 'closes' | 'peaks'
  >[];
}

export const rows: Map<string, Row> = new Map();
/** Raised when rows changed, at most four times a second. */
export const beat = signal(0);
/** Raised each second, for what only grows old. */
export const tick = signal(0);
/** Whether the first answer is there. */
export const isLoaded = signal(false);
/** Whether a symbol began to trade whose past has not been asked for. */
export const isIncomplete = signal(false);
/** Event time of the newest bar, ms. */
export let now = 0;

const barListeners = new Map<string, Set<(bar: Bar) => void>>();
const tradeListeners = new Set<(trades: readonly Trade[]) => void>();
let waiting = false;

export function load({ now: time, items }: WatchAnswer): void {
  rows.clear();
  now = time;
  for (const item of items) rows.set(item.symbol, { ...item, step: stepOf(time), version: 1 });
  isLoaded.value = true;
  isIncomplete.value = false;
  changed();
}

/** An hour ago moves on as well: the price then, and the alerts since, of rows that are there. */
export function renew({ items }: WatchAnswer): void {
  for (const { symbol, reference, alerts } of items) {
    const row = rows.get(symbol);
    if (!row || (row.reference === reference && row.alerts === alerts)) continue;
    row.reference = reference;
    row.alerts = alerts;
    row.version++;
  }
  changed();
}

export function takeBar(bar: Bar): void {
  now = Math.max(now, bar.timestamp);
  const row = rows.get(bar.symbol) ?? made(bar);
  advance(row, stepOf(bar.timestamp));
  row.price = bar.close;
  row.timestamp = bar.timestamp;
  row.score = bar.score;
  row.level = bar.level;
  row.closes[STEPS - 1] = bar.close;
  row.peaks[STEPS - 1] = Math.max(row.peaks[STEPS - 1] ?? 0, oddness(bar.score, bar.level));
  row.version++;
  const listeners = barListeners.get(bar.symbol);
  if (listeners) for (const listener of listeners) listener(bar);
  changed();
}

export function takeStatus({ symbol, status }: Status): void {
  const row = rows.get(symbol);
  if (!row || (status !== 'halted' && status !== 'resumed')) return;
  row.halted = status === 'halted';
  row.version++;
  changed();
}

export function takeTrades(trades: readonly Trade[]): void {
  for (const listener of tradeListeners) listener(trades);
}

export function onBar(symbol: string, listener: (bar: Bar) => void): () => void {
  const listeners = barListeners.get(symbol) ?? new Set();
  barListeners.set(symbol, listeners.add(listener));
  return () => listeners.delete(listener);
}

export function onTrades(listener: (trades: readonly Trade[]) => void): () => void {
  tradeListeners.add(listener);
  return () => tradeListeners.delete(listener);
}

export function changed(): void {
  if (waiting) return;
  waiting = true;
  setTimeout(() => {
    waiting = false;
    beat.value++;
  }, BEAT_MS);
}

/** The greatest oddness of the last half minute. */
export function oddLately(row: Row): number {
  const behind = stepOf(now) - row.step;
  const at = STEPS - 1 + behind;
  return Math.max(row.peaks[at] ?? 0, row.peaks[at - 1] ?? 0);
}

export function change(row: Row): number {
  return row.reference > 0 ? row.price / row.reference - 1 : 0;
}

/** Brings a row's steps up to the present, so that what stands still is seen to stand still. */
export function upToNow(row: Row): Row {
  advance(row, stepOf(now));
  return row;
}

export function stepOf(ms: number): number {
  return Math.floor(ms / (STEP_S * 1000));
}

function advance(row: Row, step: number): void {
  const by = Math.min(STEPS, step - row.step);
  if (by <= 0) return;
  const last = row.closes[STEPS - 1] ?? (row.price > 0 ? row.price : null);
  row.closes.splice(0, by);
  row.peaks.splice(0, by);
  for (let i = 0; i < by; i++) {
    row.closes.push(last);
    row.peaks.push(0);
  }
  row.step = step;
  row.version++;
}

function made(bar: Bar): Row {
  const row: Row = {
    symbol: bar.symbol,
    price: bar.close,
    timestamp: bar.timestamp,
    score: bar.score,
    level: bar.level,
    reference: bar.open,
    alerts: 0,
    closes: Array.from({ length: STEPS }, () => null),
    peaks: Array.from({ length: STEPS }, () => 0),
    step: stepOf(now),
    halted: false,
    version: 0,
  };
  rows.set(bar.symbol, row);
  isIncomplete.value = true;
  return row;
}
