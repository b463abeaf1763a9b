/** Sections on the real tapes of ../shared/data: pumps, the cascade, a calm day, budgets asked and given. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { encodeAnomaly } from '../../src/market/codec.ts';
import type { Anomaly } from '../../src/market/records.ts';
import { BTC, DATA, TRX } from '../../test/real-data.ts';
import type { TapeMeasured } from './measures.ts';
import { line, percent, type Section, table } from './section.ts';

export const BUDGETS = [1, 4, 24] as const;
export const PUMPS: string = join(DATA, 'pumps');
const GRADER = join(DATA, '../tools/grade-pumps.mjs');

export function pumpTapes(): string[] {
  return readdirSync(PUMPS)
    .filter((name) => name.endsWith('.csv.gz'))
    .map((name) => join(PUMPS, name));
}

export function otherTapes(): string[] {
  return [TRX, BTC];
}

interface Grade {
  readonly false_alerts_per_symbol_day: number;
  readonly delay_s: { readonly median: number | null };
  readonly windows: readonly {
    readonly within_s: number;
    readonly precision: number;
    readonly recall: number;
    readonly f1: number;
  }[];
}

/** Default settings: budget 1. */
export function pumpSection(tapes: readonly TapeMeasured[]): Section {
  const critical = grade(tapes, ['--kinds', 'pump', '--severity', 'critical']);
  const all = grade(tapes, []);
  const within = (grade: Grade, seconds: number) => grade.windows.find(({ within_s }) => within_s === seconds)!;
  const on = 'pumps, critical pump';
  const f1 = (
    [
      [60, 0.97],
      [25, 0.95],
      [15, 0.95],
    ] as const
  ).map(([seconds, goal]) => {
    const { f1: value, precision, recall } = within(critical, seconds);
    const text = `${percent(value)} (P ${percent(precision)}, R ${percent(recall)})`;
    return line(on, `F1 within ${seconds} s`, text, `≥ ${percent(goal)}`, value >= goal);
  });
  const { false_alerts_per_symbol_day: rate, delay_s } = critical;
  const delay = delay_s.median ?? Number.POSITIVE_INFINITY;
  const recall = within(all, 25).recall;
  return {
    name: 'pumps',
    lines: [
      ...f1,
      line(on, 'false alerts a symbol-day', rate.toFixed(3), '≤ 0.02', rate <= 0.02),
      line(on, 'median delay', `${delay.toFixed(1)} s`, '≤ 6 s', delay <= 6),
      line('pumps, --budget 1, all kinds', 'recall within 25 s', percent(recall), '≥ 95 %', recall >= 0.95),
      line('pumps, --budget 1, all kinds', 'false alerts a symbol-day', all.false_alerts_per_symbol_day.toFixed(2)),
    ],
  };
}

function grade(tapes: readonly TapeMeasured[], options: readonly string[]): Grade {
  const scratch = mkdtempSync(join(tmpdir(), 'tapewatch-grade-'));
  try {
    for (const { path, anomalies } of tapes) {
      const lines = anomalies['1']!.map((anomaly) => `${encodeAnomaly(anomaly)}\n`);
      writeFileSync(join(scratch, `${basename(path, '.csv.gz')}.ndjson`), lines.join(''));
    }
    const events = ['--events', join(PUMPS, 'events.csv'), '--as-emitted', '--json'];
    const out = execFileSync(process.execPath, [GRADER, '--alerts', scratch, ...events, ...options], {
      encoding: 'utf8',
    });
    return JSON.parse(out) as Grade;
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

const CASCADE = Date.UTC(2025, 9, 10, 20, 50);
const MORNING = Date.UTC(2025, 9, 10, 6);

export function cascadeSection(tape: TapeMeasured): Section {
  const anomalies = ofTheMarket(tape.anomalies['4']!);
  const first = anomalies.find(({ timestamp, phase }) => timestamp >= CASCADE && phase !== 'close');
  const delay = first ? (first.timestamp - CASCADE) / 1000 : Number.POSITIVE_INFINITY;
  const before = anomalies.filter(
    ({ phase, timestamp }) => phase === 'open' && timestamp >= MORNING && timestamp < CASCADE,
  );
  const on = 'TRXUSDT 2025-10-10, --budget 4';
  const text = first ? `${delay.toFixed(1)} s (${first.phase} ${first.kind}, ${first.severity})` : 'none';
  return {
    name: 'cascade',
    lines: [
      line(on, 'first record after 20:50:00', text, '≤ 25 s', delay <= 25),
      line(on, 'incidents opened, 06:00 to 20:50', list(before), '≤ 4', before.length <= 4),
    ],
  };
}

export function calmSection(tape: TapeMeasured): Section {
  const midnight = Date.UTC(2025, 9, 4);
  const opened = ofTheMarket(tape.anomalies['1']!).filter(
    ({ phase, timestamp }) => phase === 'open' && timestamp >= midnight + 6 * 3_600_000,
  );
  return {
    name: 'calm',
    lines: [
      line('BTCUSDC 2025-10-04, --budget 1', 'incidents opened after 6 h', list(opened), '≤ 2', opened.length <= 2),
    ],
  };
}

/** Hours after a tape's first trade that the protocol of the pumps calls warm-up. */
const WARM_UP_HOURS = 6;

/**
 * Incidents of the market lane opened a symbol-day, over those asked for. To the hundredths it is printed in: a tape of a
 * day lacks the seconds before its first and after its last trade.
 */
function givenOverAsked(tapes: readonly TapeMeasured[], budget: number, afterHours = 0): number {
  const opened = tapes.map(
    ({ anomalies, from }) =>
      ofTheMarket(anomalies[String(budget)]!).filter(
        ({ phase, timestamp }) => phase === 'open' && timestamp >= from + afterHours * 3_600_000,
      ).length,
  );
  const days = tapes.reduce((sum, tape) => sum + tape.days - afterHours / 24, 0);
  return Math.round((100 * opened.reduce((sum, count) => sum + count, 0)) / days / budget) / 100;
}

export function budgetSection(pumps: readonly TapeMeasured[], others: readonly TapeMeasured[]): Section {
  const ofFolder = (folder: string, tapes: readonly TapeMeasured[], budget: number, afterHours = 0) => {
    const given = givenOverAsked(tapes, budget, afterHours);
    const on = afterHours > 0 ? `${folder}, after ${afterHours} h` : folder;
    const met = given >= 0.5 && given <= 2;
    return line(on, `given over asked, --budget ${budget}`, given.toFixed(2), '0.5 to 2', met);
  };
  const lines = BUDGETS.flatMap((budget) => {
    const each = [...pumps, ...others].map((tape) => [givenOverAsked([tape], budget), basename(tape.path)] as const);
    each.sort(([a], [b]) => a - b);
    const [[low, lowest], [high, highest]] = [each[0]!, each.at(-1)!];
    const text = `${low.toFixed(2)} (${short(lowest)}) to ${high.toFixed(2)} (${short(highest)})`;
    return [
      ofFolder('pumps/', pumps, budget),
      ofFolder('tapes/', others, budget),
      ofFolder('tapes/', others, budget, WARM_UP_HOURS),
      line('a single tape', `given over asked, --budget ${budget}`, text, '0.25 to 4', low >= 0.25 && high <= 4),
    ];
  });
  const rows = [...pumps, ...others].map((tape) => [
    short(basename(tape.path)),
    tape.days.toFixed(2),
    ...BUDGETS.map((budget) => givenOverAsked([tape], budget).toFixed(2)),
  ]);
  return { name: 'budget', lines, detail: table(['tape', 'days', ...BUDGETS.map((b) => `budget ${b}`)], rows) };
}

function ofTheMarket(anomalies: readonly Anomaly[]): Anomaly[] {
  return anomalies.filter(({ kind }) => kind !== 'data_fault');
}

function list(opened: readonly Anomaly[]): string {
  const told = opened.map(({ kind, timestamp }) => `${new Date(timestamp).toISOString().slice(11, 16)} ${kind}`);
  return `${opened.length}${told.length > 0 ? ` (${told.slice(0, 6).join(', ')}${told.length > 6 ? ', …' : ''})` : ''}`;
}

function short(file: string): string {
  return file.replace(/\.csv\.gz$|\.zip$/, '').replace(/^binance_trades_/, '');
}
