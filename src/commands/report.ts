/** `--report F`: what ran, put beside what came of it, as one page. */
import { basename } from 'node:path';
import type { BacktestResult } from '../backtest/backtest.ts';
import type { Grade } from '../backtest/grade.ts';
import type { SweepPoint } from '../backtest/sweep.ts';
import { DETECTOR_VERSION } from '../detection/artefact.ts';
import type { Policy } from '../detection/detector.ts';
import { marketMoves } from '../market/market-move.ts';
import { backtestPage } from '../report/backtest-page.ts';

export interface BacktestRun {
  readonly options: { readonly tape: readonly string[]; readonly labels?: string; readonly model?: string };
  readonly policy: Policy;
  readonly result: BacktestResult;
  readonly graded: Grade | null;
  readonly sweep: readonly SweepPoint[];
  readonly version: string;
}

export function reportOf({ options, policy, result, graded, sweep, version }: BacktestRun): string {
  const { stretches, anomalies, trades, lateTrades } = result;
  const { artefact, settings, settingsId } = policy;
  const tapes = options.tape.map((path) => basename(path));
  const symbols = [...new Set(stretches.map(({ symbol }) => symbol))];
  const name = symbols.length === 1 ? symbols[0]! : `${symbols.length} symbols`;
  return backtestPage({
    title: `Backtest of ${name}`,
    ran: [
      ['tapes', tapes.length > 8 ? `${tapes.slice(0, 8).join(', ')} and ${tapes.length - 8} more` : tapes.join(', ')],
      ['trades', `${trades.toLocaleString('en-US')}${lateTrades > 0 ? `, ${lateTrades} late` : ''}`],
      ...(options.labels ? [['labels', basename(options.labels)] as const] : []),
      ['budget', `${settings.budget} incidents a symbol-day`],
      ['rules', settings.rules.length === 0 ? 'none' : JSON.stringify(settings.rules)],
      ['settings', settingsId],
      ['model', `${options.model ? basename(options.model) : 'the one shipped'}, ${artefact.id}`],
      ['Tapewatch', `${version}, detector ${DETECTOR_VERSION}`],
    ],
    trades,
    symbolDays: stretches.reduce((sum, { from, to }) => sum + to - from, 0) / 86_400_000,
    budget: settings.budget,
    stretches,
    anomalies,
    marketWide: marketMoves(anomalies, symbols.length),
    grade: graded,
    sweep,
  });
}
