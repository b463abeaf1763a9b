/** The section on the simulated exchange: recall by kind and size, the kind named, false alerts. */
import { KINDS } from '../../src/market/records.ts';
import { MARKET_HOURS, MARKET_SYMBOLS, type MarketMeasured, type Outcome } from './measures.ts';
import { line, mean, median, percent, type Section, table } from './section.ts';

const SIZES = [1, 3, 10] as const;

export function marketSection(markets: readonly MarketMeasured[], budget: number): Section {
  const outcomes = markets.flatMap((market) => market.outcomes);
  const large = outcomes.filter(({ size }) => size === 10);
  const found = share(large, ({ found }) => found);
  const named = share(large, ({ named }) => named);
  const symbolDays = markets.reduce((sum, market) => sum + market.symbolDays, 0);
  const falseAlerts = markets.flatMap((market) => market.falseAlerts);
  const rate = falseAlerts.length / symbolDays;
  const on = `simulated, seeds ${markets[0]!.seed} to ${markets.at(-1)!.seed}, --budget ${budget}`;
  const missed = KINDS.filter((kind) => share(of(large, kind), ({ found }) => found) < 0.9);
  const misnamed = KINDS.filter((kind) => share(of(large, kind), ({ named }) => named) < 0.8);
  return {
    name: 'simulated',
    lines: [
      line(on, 'size 10 found', percent(found), '≥ 90 %', found >= 0.9),
      line(on, 'size 10 named right', percent(named), '≥ 80 %', named >= 0.8),
      line(on, 'kinds of size 10 found < 90 %', missed.join(', ') || 'none', 'none', missed.length === 0),
      line(on, 'kinds of size 10 named right < 80 %', misnamed.join(', ') || 'none', 'none', misnamed.length === 0),
      line(on, 'false alerts a symbol-day', `${rate.toFixed(2)} (${falseAlerts.length} in ${symbolDays.toFixed(0)})`),
    ],
    detail: [recallTable(outcomes), falseTable(falseAlerts, symbolDays)].join('\n\n'),
  };
}

/** How the table was measured, for whoever reads it. */
export const METHOD = `Each seed is a market of ${MARKET_SYMBOLS} symbols (6 to 0.02 taker orders a second) over ${MARKET_HOURS} hours with every kind in every size about once, each
after a calm hour; sizes are multiples of the symbol's own record of the hour before (\`src/simulator/anomalies.ts\` has the
quantity of each kind). Found: any record but \`close\` from the start to 60 s after the end (for \`data_fault\` one of the data
lane, else one of the market lane). Named: one of these records names the kind; first: the first one does. False: incidents
opened neither then nor within 10 minutes after. Reproduce: \`npm run bench:quality -- --only simulated\`; the same markets
as tapes: \`tapewatch simulate --out F --labels F --symbols ${MARKET_SYMBOLS} --anomalies plan --seed N\`.`;

function recallTable(outcomes: readonly Outcome[]): string {
  const cells = (some: readonly Outcome[]): string[] =>
    SIZES.flatMap((size) => {
      const those = some.filter((outcome) => outcome.size === size);
      return [percentOf(those, ({ found }) => found), percentOf(those, ({ named }) => named)];
    });
  const rest = (some: readonly Outcome[]): string[] => {
    const large = some.filter(({ size }) => size === 10);
    const delays = large.flatMap(({ delay_s }) => (delay_s === null ? [] : [delay_s]));
    const others = new Map<string, number>();
    for (const { told, kind } of large)
      for (const other of new Set(told)) if (other !== kind) others.set(other, (others.get(other) ?? 0) + 1);
    const often = [...others].sort((a, b) => b[1] - a[1]).slice(0, 3);
    return [
      percentOf(large, ({ namedFirst }) => namedFirst),
      delays.length > 0 ? `${median(delays).toFixed(1)} s` : '—',
      often.map(([name, count]) => `${name} ${Math.round((100 * count) / large.length)} %`).join(', ') || '—',
    ];
  };
  const head = [
    'kind',
    'n of size 10',
    ...SIZES.flatMap((size) => [`${size}× found`, 'named']),
    '10× named first',
    '10× median delay',
    '10× also told as',
  ];
  const rows = KINDS.map((kind) => {
    const some = of(outcomes, kind);
    return [kind, String(some.filter(({ size }) => size === 10).length), ...cells(some), ...rest(some)];
  });
  return table(head, [
    ...rows,
    ['all', String(outcomes.filter(({ size }) => size === 10).length), ...cells(outcomes), ...rest(outcomes)],
  ]);
}

function falseTable(falseAlerts: MarketMeasured['falseAlerts'], symbolDays: number): string {
  const by = Map.groupBy(falseAlerts, ({ kind }) => kind);
  const rows = [...by]
    .sort((a, b) => b[1].length - a[1].length)
    .map(([kind, some]) => [kind, String(some.length), (some.length / symbolDays).toFixed(3)]);
  return table(['false alerts opened by', 'number', 'a symbol-day'], rows);
}

function of(outcomes: readonly Outcome[], kind: string): Outcome[] {
  return outcomes.filter((outcome) => outcome.kind === kind);
}

function share(some: readonly Outcome[], is: (outcome: Outcome) => boolean): number {
  return mean(some.map((outcome) => (is(outcome) ? 1 : 0)));
}

function percentOf(some: readonly Outcome[], is: (outcome: Outcome) => boolean): string {
  return some.length > 0 ? `${Math.round(100 * share(some, is))} %` : '—';
}
