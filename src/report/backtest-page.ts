/** A backtest as one page: what ran, what came of it, the alerts on the prices, every incident, the grades. */
import { type Anomaly, type Bar, laneOf, SEVERITIES, type Severity } from '../market/records.ts';
import { type SweepPoint, sweepChartSvg } from './curve-chart.ts';
import { type GradeTable, gradeSection } from './grade-tables.ts';
import { gravest, type Incident, incidentCard, incidentsOf, words } from './incident-card.ts';
import { facts, page, table } from './page.ts';
import { escaped } from './paint.ts';
import { alertChartSvg, type PricePoint } from './price-chart.ts';
import { short, timeText } from './scale.ts';

export interface BacktestPage {
  readonly title: string;
  /** Tapes, model, settings, versions: names and values. */
  readonly ran: readonly (readonly [name: string, value: string])[];
  readonly trades: number;
  readonly symbolDays: number;
  readonly budget: number;
  /** Each symbol's tapes without a pause, by symbol and time. */
  readonly stretches: readonly {
    readonly symbol: string;
    readonly from: number;
    readonly to: number;
    readonly step_s: number;
    readonly bins: readonly PricePoint[];
    readonly closeUps: readonly { readonly id: string; readonly bars: readonly Bar[] }[];
  }[];
  /** All records, ordered by time. */
  readonly anomalies: readonly Anomaly[];
  readonly marketWide: readonly MarketWide[];
  readonly grade: GradeTable | null;
  readonly sweep: readonly SweepPoint[];
}

/** A move of the whole market: which symbols were in it, and when. */
export interface MarketWide {
  readonly from: number;
  readonly to: number;
  readonly direction: string;
  readonly severity: Severity;
  readonly symbols: readonly string[];
}

/** Charts and pictures beyond these would make a page that nobody can open; the list still names the rest. */
const CHARTS_MAX = 60;
const PICTURES_MAX = 80;

export function backtestPage(data: BacktestPage): string {
  const incidents = incidentsOf(data.anomalies);
  const sections = [
    `<h1>${escaped(data.title)}</h1>`,
    `<p class="lead">${escaped(span(data))}</p>`,
    headline(data, incidents),
    data.grade ? gradeSection(data.grade) : '',
    data.sweep.length > 0 ? sweepSection(data.sweep) : '',
    priceSection(data),
    data.marketWide.length > 0 ? marketSection(data.marketWide) : '',
    incidentSection(data, incidents),
    `<h2>What ran</h2>${facts(data.ran)}`,
    '<footer>Made by Tapewatch. The same tapes, model and settings give the same alerts, byte for byte.</footer>',
  ];
  return page(data.title, sections.filter((section) => section !== '').join('\n'));
}

function span({ stretches }: BacktestPage): string {
  if (stretches.length === 0) return 'No trades.';
  const from = stretches.reduce((least, stretch) => Math.min(least, stretch.from), Number.POSITIVE_INFINITY);
  const to = stretches.reduce((most, stretch) => Math.max(most, stretch.to), 0);
  return `${timeText(from, 0)} to ${timeText(to, 0)} UTC`;
}

function headline(
  { trades, symbolDays, budget, stretches, grade }: BacktestPage,
  incidents: readonly Incident[],
): string {
  const symbols = new Set(stretches.map(({ symbol }) => symbol)).size;
  const market = incidents.filter(([first]) => laneOf(first.id) === 'market');
  const count = (severity: Severity): number =>
    market.filter((incident) => gravest(incident).severity === severity).length;
  const figure = (value: string, name: string): string =>
    `<div class="figure"><b>${escaped(value)}</b><span>${escaped(name)}</span></div>`;
  const figures = [
    figure(trades.toLocaleString('en-US'), `trades of ${symbols} symbol${symbols === 1 ? '' : 's'}`),
    figure(String(market.length), SEVERITIES.map((severity) => `${count(severity)} ${severity}`).join(' · ')),
    figure((market.length / symbolDays).toPrecision(2), `incidents a symbol-day, ${budget} asked for`),
  ];
  const [best] = grade?.scores ?? [];
  if (grade && best) {
    figures.push(
      figure(`${best.found} of ${grade.events}`, 'labelled events found'),
      figure(best.delay_s ? `${Number(best.delay_s.median.toFixed(1))} s` : '–', 'median delay'),
      figure(best.falseADay.toPrecision(2), 'false alerts a symbol-day'),
    );
  }
  return `<div class="figures">${figures.join('')}</div>`;
}

function sweepSection(sweep: readonly SweepPoint[]): string {
  const graded = sweep.every((point) => point.graded);
  const rows = sweep.map(({ budget, given, graded: grade }) => [
    String(budget),
    given.toPrecision(2),
    ...(grade
      ? [
          `${Math.round(grade.recall * 100)} %`,
          grade.falseADay.toPrecision(2),
          grade.medianDelay_s === null ? '–' : `${Number(grade.medianDelay_s.toFixed(1))} s`,
        ]
      : []),
  ]);
  const headers = [
    'budget#',
    'given a symbol-day#',
    ...(graded ? ['recall#', 'false a symbol-day#', 'median delay#'] : []),
  ];
  return `<h2>By budget</h2>${sweepChartSvg(sweep, false)}${table(headers, rows)}`;
}

function priceSection({ stretches, anomalies, grade }: BacktestPage): string {
  const bySymbol = Map.groupBy(anomalies, ({ symbol }) => symbol);
  const busiest = stretches
    .map((stretch) => {
      const alerts = (bySymbol.get(stretch.symbol) ?? []).filter(
        ({ timestamp, id }) => timestamp >= stretch.from && timestamp <= stretch.to && laneOf(id) === 'market',
      );
      return { stretch, alerts };
    })
    .sort((a, b) => b.alerts.length - a.alerts.length);
  const shown = new Set(busiest.slice(0, CHARTS_MAX).map(({ stretch }) => stretch));
  const charts = busiest
    .filter(({ stretch }) => shown.has(stretch))
    .sort((a, b) => stretches.indexOf(a.stretch) - stretches.indexOf(b.stretch))
    .map(({ stretch, alerts }) => {
      const { symbol, from, to, step_s, bins } = stretch;
      const events = (grade?.outcomes ?? [])
        .filter(({ event }) => event.symbol === symbol && event.start >= from && event.start <= to)
        .map(({ event }) => ({ start: event.start, end: event.end, name: event.kind ?? 'event' }));
      return `<div class="chart">${alertChartSvg({ symbol, from, to, step_s, points: bins, alerts, events, alone: false })}</div>`;
    });
  const left = stretches.length - charts.length;
  const more = left > 0 ? `<p class="soft">${left} quieter ones are left out.</p>` : '';
  return `<h2>Alerts on the price</h2>${charts.join('\n')}${more}`;
}

function marketSection(moves: readonly MarketWide[]): string {
  const rows = moves.map(({ from, to, direction, severity, symbols }) => [
    `${timeText(from, 0)} UTC`,
    `${Math.round((to - from) / 1000)} s`,
    escaped(direction),
    `<span class="tag ${severity}">${severity}</span>`,
    String(symbols.length),
    `<span class="small">${escaped(symbols.slice(0, 12).join(', '))}${symbols.length > 12 ? ` and ${symbols.length - 12} more` : ''}</span>`,
  ]);
  return `<h2>Moves of the whole market</h2>${table(['began', 'over', 'direction', 'severity', 'symbols#', ''], rows)}`;
}

function incidentSection({ stretches }: BacktestPage, incidents: readonly Incident[]): string {
  if (incidents.length === 0)
    return '<h2>Incidents</h2><p>None: nothing on these tapes was rarer than the budget asks for.</p>';
  const pictures = new Map(stretches.flatMap(({ closeUps }) => closeUps.map(({ id, bars }) => [id, bars] as const)));
  const gravestFirst = incidents.toSorted(
    (a, b) => gravest(b).return_period_s - gravest(a).return_period_s || a[0].timestamp - b[0].timestamp,
  );
  const pictured = new Set(gravestFirst.slice(0, PICTURES_MAX));
  const cards = incidents
    .filter((incident) => pictured.has(incident))
    .map((incident) => incidentCard(incident, closeUp(incident, pictures.get(incident[0].id))));
  const rest = incidents.filter((incident) => !pictured.has(incident));
  return `<h2>Incidents</h2>${cards.join('\n')}${rest.length > 0 ? restTable(rest) : ''}`;
}

function restTable(rest: readonly Incident[]): string {
  const rows = rest.map((incident) => {
    const { symbol, kind, severity, summary } = gravest(incident);
    const tag = `<span class="tag ${severity}">${severity}</span>`;
    return [timeText(incident[0].timestamp, 0), escaped(symbol), words(kind), tag, escaped(summary)];
  });
  return `<h3>${rest.length} less rare ones</h3>${table(['opened (UTC)', 'symbol', 'kind', 'severity', ''], rows)}`;
}

function closeUp(incident: Incident, bars: readonly Bar[] | undefined): string {
  const [first] = incident;
  if (!bars?.[0]) return '';
  const opened = first.timestamp;
  const last = bars.findLast(({ timestamp }) => timestamp <= opened)?.timestamp ?? opened;
  // A silence is looked at from the last trade before it.
  const from = Math.max(opened - 3_600_000, Math.min(opened - 300_000, last - 60_000));
  const points = bars.map(({ timestamp, low, high, close, quoteVolume }) => ({
    at: timestamp,
    low,
    high,
    close,
    quote: quoteVolume,
  }));
  return alertChartSvg({
    symbol: first.symbol,
    title: `${Math.round((opened - from) / 60_000)} minutes before to 10 after · ${short(points.reduce((sum, { quote }) => sum + quote, 0))} quote volume`,
    from,
    to: opened + 600_000,
    step_s: 1,
    points,
    alerts: incident,
    height: 190,
    width: 960,
    alone: false,
  });
}
