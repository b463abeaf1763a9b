/**
 * The rules: what is recorded, what alerts. Everything is aggregated by namespace, one installation in each; without
 * Kubernetes the label is absent, and the installation is all that Prometheus scrapes.
 */
import { ALERTS } from './alerts.ts';
import { BURNS, LONG_WINDOWS, SLOS, WINDOWS } from './slos.ts';

/** Where an alert’s runbook is found; the chart puts its own value in the place of it. */
export const RUNBOOKS = 'https://tapewatch.example/docs/runbooks.md';

interface Rule {
  readonly record?: string;
  readonly alert?: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

interface Group {
  readonly name: string;
  readonly interval?: string;
  readonly rules: readonly Rule[];
}

const LAG = 'namespace_group_topic:tapewatch_consumer_lag_records:sum';

const RECORDED: readonly Rule[] = [
  {
    record: 'namespace:tapewatch_trades:rate5m',
    expr: 'sum by (namespace) (rate(tapewatch_trades_total[5m]))',
  },
  {
    record: 'namespace:tapewatch_trades_scored:rate5m',
    expr: 'sum by (namespace) (rate(tapewatch_trades_scored_total[5m]))',
  },
  {
    // Every detect tells the lag of all partitions of its group.
    record: LAG,
    expr: 'sum by (namespace, group, topic) (max by (namespace, group, topic, partition) (tapewatch_consumer_lag_records))',
  },
  {
    // At the rate of the last minutes; a few hundred records in flight are no lag.
    record: 'namespace:tapewatch_detection_lag_seconds:estimate',
    expr: `sum by (namespace) (${LAG}{group="detect"}) / clamp_min(namespace:tapewatch_trades:rate5m, 100)`,
  },
  {
    // Trades that come while nobody tells a lag are not fresh either.
    record: 'namespace:tapewatch_detection_fresh:bool',
    expr: 'namespace:tapewatch_detection_lag_seconds:estimate < bool 5 or (namespace:tapewatch_trades:rate5m > 0) * 0',
  },
  {
    record: 'namespace:tapewatch_transactions_failed:ratio_rate5m',
    expr: 'sum by (namespace) (rate(tapewatch_transactions_total{outcome!="committed"}[5m])) / (sum by (namespace) (rate(tapewatch_transactions_total[5m])) > 0)',
  },
];

const ratio = (slo: string, window: string): string => `namespace:tapewatch_slo_${slo}:errors_ratio${window}`;

const errorRatios = (windows: readonly string[]): readonly Rule[] =>
  SLOS.flatMap(({ name, errors }) => windows.map((window) => ({ record: ratio(name, window), expr: errors(window) })));

const SLO_ALERTS: readonly Rule[] = SLOS.flatMap(({ name, budget, promise }) =>
  BURNS.map(({ long, short, factor, severity, spent }) => ({
    alert: 'TapewatchBudgetBurns',
    expr: [long, short].map((window) => `${ratio(name, window)} > ${factor} * ${budget}`).join(' and '),
    ...(severity === 'warning' ? { for: '15m' } : {}),
    labels: { severity, slo: name, window: long },
    annotations: {
      summary: `The error budget of “${promise}” burns ${factor} times too fast.`,
      description: `Over ${long} {{ $value | humanizePercentage }} failed, ${spent} at least; ${100 * (1 - budget)} % is promised over 30 days.`,
      runbook_url: `${RUNBOOKS}#budget-burns`,
    },
  })),
);

const FAULT_ALERTS: readonly Rule[] = ALERTS.map(({ alert, expr, wait, severity, summary, description, runbook }) => ({
  alert,
  expr,
  for: wait,
  labels: { severity },
  annotations: { summary, description, runbook_url: `${RUNBOOKS}#${runbook}` },
}));

/** A group's rules are evaluated in order: what an alert reads stands before it. */
export const GROUPS: readonly Group[] = [
  { name: 'tapewatch.faults', rules: [...RECORDED, ...FAULT_ALERTS] },
  { name: 'tapewatch.slo-days', interval: '2m', rules: errorRatios(LONG_WINDOWS) },
  { name: 'tapewatch.slo', interval: '30s', rules: [...errorRatios(WINDOWS), ...SLO_ALERTS] },
];

export function rulesFile(groups: readonly Group[] = GROUPS): string {
  const lines = ['# Written by deploy/generate.ts from deploy/prometheus; change it there.', 'groups:'];
  for (const { name, interval, rules } of groups) {
    lines.push(`  - name: ${name}`, ...(interval ? [`    interval: ${interval}`] : []), '    rules:');
    for (const rule of rules) lines.push(...ruleLines(rule));
  }
  return `${lines.join('\n')}\n`;
}

function ruleLines(rule: Rule): string[] {
  const lines = Object.entries(rule).flatMap(([key, value]) =>
    typeof value === 'string'
      ? [`${key}: ${scalar(value)}`]
      : [`${key}:`, ...Object.entries(value as object).map(([name, text]) => `  ${name}: ${scalar(text as string)}`)],
  );
  return lines.map((line, i) => `${i === 0 ? '      - ' : '        '}${line}`);
}

/** Plain where YAML takes it for a string and nothing else. */
function scalar(text: string): string {
  return /^[A-Za-z][\w:]*$/.test(text) && !/^(true|false|null|yes|no|on|off)$/i.test(text)
    ? text
    : `'${text.replaceAll("'", "''")}'`;
}
