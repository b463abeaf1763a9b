/** The live view as text: what is odd now at the top, a line a symbol, a line an incident. Pure. */
import { type Anomaly, incidentOf } from '../market/records.ts';
import { briefOf, decimalsOf, duration, KIND_WORDS, rarity } from '../market/words.ts';
import type { SymbolView } from '../views/views.ts';
import { oddness } from '../views/watch-row.ts';
import { cut, type Paint, plain } from './paint.ts';

/** Below this many columns lines leave out what a glance can do without. */
const WIDE = 100;
const BAR = 10;
const SPARK = 20;
/** Seconds of bars that a change and a line of prices look back. */
const RECENT_S = 60;
const LEVELS = '▁▂▃▄▅▆▇█';
const ARROWS = { up: '▲', down: '▼', none: '●' } as const;
/** How bad, where there is no room for the word and perhaps no colour. */
const MARKS = { notice: '  ', warning: ' !', critical: '!!' } as const;
const WORSE = { notice: 0, warning: 1, critical: 2 } as const;

/** One record in a line; `width` in columns, Infinity where nothing is cut. */
export function alertLine(anomaly: Anomaly, paint: Paint, width: number): string {
  const { timestamp, symbol, kind, phase, severity, direction, summary, return_period_s } = anomaly;
  const clock = new Date(timestamp).toISOString().slice(11, 19);
  const name = KIND_WORDS[kind].name;
  const isWide = width >= WIDE;
  const head = isWide
    ? `${clock}  ${ARROWS[direction]} ${symbol.padEnd(10)} ${name.padEnd(14)} ${severity.padEnd(8)} `
    : `${clock} ${MARKS[severity]} ${ARROWS[direction]} ${symbol.padEnd(9)} ${name.padEnd(14)} `;
  const told = { open: '', escalate: 'worse: ', update: 'also: ', close: '' }[phase];
  const rare = `once in ${duration(return_period_s)}`;
  // What a narrow line cuts is what matters least.
  const brief = isWide ? `${briefOf(summary)}; ${rare}` : `${rare}; ${briefOf(summary)}`;
  const text = phase === 'close' ? summary : `${told}${brief}`;
  const line = cut(text, Math.max(10, width - head.length));
  if (phase === 'close') return paint.dim(`${head}${line}`);
  return `${colourOf(anomaly, paint)(head)}${phase === 'update' ? paint.dim(line) : line}`;
}

/** What an incident comes to so far: its worst record, when it began, whether it is over. */
export interface IncidentLine {
  readonly id: string;
  readonly opened: number;
  readonly worst: Anomaly;
  readonly isOver: boolean;
}

/** The incidents after one more record: newest first, at most `max`. */
export function withRecord(incidents: readonly IncidentLine[], anomaly: Anomaly, max: number): readonly IncidentLine[] {
  const id = incidentOf(anomaly.id);
  const before = incidents.find((incident) => incident.id === id);
  const isWorse = !before || WORSE[anomaly.severity] > WORSE[before.worst.severity];
  const after: IncidentLine = {
    id,
    opened: before?.opened ?? anomaly.timestamp,
    worst: isWorse ? anomaly : before.worst,
    isOver: anomaly.phase === 'close',
  };
  return before
    ? incidents.map((incident) => (incident.id === id ? after : incident))
    : [after, ...incidents].slice(0, max);
}

export function incidentLine({ opened, worst, isOver }: IncidentLine, paint: Paint, width: number): string {
  return alertLine({ ...worst, timestamp: opened, phase: isOver ? 'close' : 'open' }, paint, width);
}

export function symbolHead(paint: Paint, width: number): string {
  const spark = width < WIDE ? '' : `  ${'last minute'.padEnd(SPARK)}`;
  return paint.dim(
    cut(
      `${'symbol'.padEnd(11)} ${'price'.padStart(12)} ${'1 min'.padStart(9)}${spark}  ${'odd now'.padEnd(BAR)}  once in`,
      width,
    ),
  );
}

/** The oddest symbols first. */
export function symbolLines(symbols: readonly SymbolView[], paint: Paint, rows: number, width: number): string[] {
  const now = symbols.reduce((latest, { timestamp }) => Math.max(latest, timestamp), 0);
  return symbols
    .map((view) => ({ view, ...oddLately(view, now) }))
    .sort((a, b) => b.odd - a.odd || (a.view.symbol < b.view.symbol ? -1 : 1))
    .slice(0, rows)
    .map(({ view, odd, score }) => symbolLine(view, odd, score, now, paint, width));
}

/** `odd` and `score` are the greatest of the last moments. */
function symbolLine(view: SymbolView, odd: number, score: number, now: number, paint: Paint, width: number): string {
  const { symbol, price, timestamp, level, bars } = view;
  const recent = bars.slice(-RECENT_S).filter((bar) => bar.timestamp > now - RECENT_S * 1000);
  const first = recent[0]?.open ?? price;
  const change = first > 0 ? (price / first - 1) * 100 : 0;
  const moved = signed(change).padStart(9);
  const filled = Math.min(BAR, Math.round(odd * BAR));
  const bar = '█'.repeat(filled) + '░'.repeat(BAR - filled);
  const mark = odd >= 1 ? paint.red : odd >= 0.75 ? paint.yellow : odd >= 0.4 ? plain : paint.dim;
  const way = moved.includes('+') ? paint.green : moved.includes('−') ? paint.red : plain;
  const spark = width < WIDE ? '' : `  ${paint.cyan(sparkOf(recent.map(({ close }) => close)).padEnd(SPARK))}`;
  const quiet = now - timestamp > RECENT_S * 1000;
  const rare = quiet
    ? `no trade for ${duration((now - timestamp) / 1000)}`
    : `${rarity(score).padEnd(4)} ${level > 0 ? `alerts at ${rarity(level)}` : 'no live trade yet'}`;
  const used = 11 + 1 + 12 + 1 + 9 + (spark === '' ? 0 : 2 + SPARK) + 2 + BAR + 2;
  return `${paint.bold(cut(symbol, 11).padEnd(11))} ${price.toFixed(decimalsOf(price)).padStart(12)} ${way(moved)}${spark}  ${mark(bar)}  ${cut(rare, Math.max(0, width - used))}`;
}

/** The greatest oddness and score of the last half minute: a list that jumps every second can't be read. */
function oddLately({ bars }: SymbolView, now: number): { readonly odd: number; readonly score: number } {
  let [odd, score] = [0, 0];
  for (let i = bars.length - 1; i >= 0 && bars[i]!.timestamp > now - 30_000; i--) {
    odd = Math.max(odd, oddness(bars[i]!.score, bars[i]!.level));
    score = Math.max(score, bars[i]!.score);
  }
  return { odd, score };
}

function sparkOf(closes: readonly number[]): string {
  const low = Math.min(...closes);
  const span = Math.max(...closes) - low;
  const step = Math.max(1, closes.length / SPARK);
  let line = '';
  for (let i = 0; i < Math.min(SPARK, closes.length); i++) {
    const close = closes[Math.floor(i * step)]!;
    line += LEVELS[span > 0 ? Math.round(((close - low) / span) * (LEVELS.length - 1)) : 3];
  }
  return line;
}

/** A change that rounds to nothing has no sign, and so no colour. */
function signed(percent: number): string {
  const text = Math.abs(percent).toFixed(2);
  return `${Number(text) === 0 ? '' : percent > 0 ? '+' : '−'}${text} %`;
}

function colourOf({ severity }: Anomaly, paint: Paint): (text: string) => string {
  return severity === 'critical' ? paint.red : severity === 'warning' ? paint.yellow : plain;
}
