/** The live view as text: one line a symbol, what is odd now at the top, and an alert in one line. Pure. */
import type { Anomaly } from '../market/records.ts';
import type { SymbolView } from '../views/views.ts';

export interface Paint {
  readonly bold: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly red: (text: string) => string;
  readonly yellow: (text: string) => string;
  readonly green: (text: string) => string;
}

const code = (open: number, close: number) => (text: string) => `\x1b[${open}m${text}\x1b[${close}m`;
export const COLOURS: Paint = {
  bold: code(1, 22),
  dim: code(2, 22),
  red: code(31, 39),
  yellow: code(33, 39),
  green: code(32, 39),
};
const same = (text: string): string => text;
export const PLAIN: Paint = { bold: same, dim: same, red: same, yellow: same, green: same };

/** One alert a trader reads at a glance. */
export function alertLine(anomaly: Anomaly, paint: Paint, width = 120): string {
  const { timestamp, symbol, kind, phase, severity, direction, summary } = anomaly;
  const clock = new Date(timestamp).toISOString().slice(11, 19);
  const arrow = direction === 'up' ? '▲' : direction === 'down' ? '▼' : '·';
  const mark = severity === 'critical' ? paint.red : severity === 'warning' ? paint.yellow : same;
  const told = phase === 'open' ? '' : `${phase} `;
  const head = `${clock} ${symbol.padEnd(10)} ${arrow} ${severity.padEnd(8)} ${kind.padEnd(16)} `;
  const rest = `${told}${summary}`.slice(0, Math.max(20, width - head.length));
  return phase === 'close' ? paint.dim(`${head}${rest}`) : `${mark(head)}${rest}`;
}

/** The oddest symbols first: how close each comes to its level, as a bar. */
export function symbolLines(symbols: readonly SymbolView[], paint: Paint, rows: number): string[] {
  const oddness = ({ score, level }: SymbolView): number => (level > 0 ? score / level : 0);
  const sorted = [...symbols].sort((a, b) => oddness(b) - oddness(a) || (a.symbol < b.symbol ? -1 : 1));
  return sorted.slice(0, rows).map((view) => {
    const share = Math.min(1.2, oddness(view));
    const filled = Math.round((share / 1.2) * 12);
    const bar = '█'.repeat(filled) + '░'.repeat(12 - filled);
    const mark = share >= 1 ? paint.red : share >= 0.8 ? paint.yellow : paint.green;
    const first = view.bars.at(-60)?.close ?? view.bars[0]?.close ?? view.price;
    const change = first > 0 ? ((view.price - first) / first) * 100 : 0;
    return `${view.symbol.padEnd(11)} ${String(view.price).padStart(12)} ${`${change >= 0 ? '+' : ''}${change.toFixed(2)} %`.padStart(9)}  ${mark(bar)} ${view.score.toFixed(1)}/${view.level.toFixed(1)}`;
  });
}
