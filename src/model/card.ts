/** What a model is, for people: where it comes from, what it judges by, what its calibration says. */
import type { Artefact } from '../detection/artefact.ts';
import { MARKET_KINDS } from '../detection/surprise/kinds.ts';
import { GRID_FIRST, GRID_STEP } from '../detection/surprise/tail.ts';
import { FEATURES } from '../detection/surprise/vector.ts';

const DAY_S = 86_400;

export function modelCard(artefact: Artefact): string {
  const { id, forest, calibration, provenance } = artefact;
  const { trainedOn, seed, command } = provenance;
  const trades = trainedOn.reduce((sum, range) => sum + range.trades, 0);
  const days = trainedOn.reduce((sum, { from, to }) => sum + (to - from) / 1000 / DAY_S, 0);
  const from = trainedOn.reduce((least, range) => Math.min(least, range.from), Number.POSITIVE_INFINITY);
  const to = trainedOn.reduce((most, range) => Math.max(most, range.to), 0);
  const symbols = [...new Set(trainedOn.map(({ symbol }) => symbol))];
  const names =
    symbols.length > 12 ? `${symbols.slice(0, 12).join(', ')} and ${symbols.length - 12} more` : symbols.join(', ');
  const rows: readonly (readonly [string, string])[] = [
    ['model', id],
    ['made by', command],
    ['seed', String(seed)],
    ['learned from', `${trades.toLocaleString('en-US')} trades of ${symbols.length} symbols: ${names}`],
    ...(trainedOn.length > 0
      ? [['from, to', `${date(from)} to ${date(to)}, ${days.toFixed(1)} symbol-days as they span`] as const]
      : []),
    ['features', `${FEATURES.length}: ${FEATURES.join(', ')}`],
    ['forest', `${forest.trees} trees of ${forest.sampleSize} rows, ${forest.features} columns`],
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  const kinds = MARKET_KINDS.map((kind, k) => {
    const { logPeriod } = calibration.kinds[k]!;
    return `  ${kind.padEnd(18)}${[1, 4, 40].map((period) => rawAt(logPeriod, period).padStart(12)).join('')}`;
  });
  return [
    ...rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`),
    '',
    `${'raw score once in'.padEnd(20)}${['a day', '4 days', '40 days'].map((name) => name.padStart(12)).join('')}`,
    ...kinds,
    '',
    'A symbol starts from these tails and moves to its own as days accumulate. Scores say how rare something is, not',
    'whether it matters; what the features leave out (the order book, other markets, news) the model can not see.',
  ].join('\n');
}

/** The raw score at which the pooled tail reaches a return period, in days. */
function rawAt(logPeriod: Float64Array, days: number): string {
  const wanted = Math.log(days * DAY_S);
  const level = logPeriod.findIndex((value) => value >= wanted);
  return level < 0 ? '-' : (GRID_FIRST + level * GRID_STEP).toFixed(1);
}

function date(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}
