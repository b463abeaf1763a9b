/** A dashboard as rows of panels, each a title, why one looks at it, a unit and its queries; and what Grafana makes of it. */
import {
  GraphDrawStyle,
  LegendDisplayMode,
  LegendPlacement,
  ReduceDataOptionsBuilder,
  SortOrder,
  StackingConfigBuilder,
  StackingMode,
  TooltipDisplayMode,
  VizLegendOptionsBuilder,
  VizTooltipOptionsBuilder,
} from '@grafana/grafana-foundation-sdk/common';
import {
  DashboardBuilder,
  DashboardCursorSync,
  DashboardLinkBuilder,
  DashboardLinkType,
  DatasourceVariableBuilder,
  type Panel as GrafanaPanel,
  QueryVariableBuilder,
  RowBuilder,
  VariableRefresh,
  VariableSort,
} from '@grafana/grafana-foundation-sdk/dashboard';
import {
  PanelBuilder as Heatmap,
  HeatmapColorMode,
  HeatmapColorOptionsBuilder,
  YAxisConfigBuilder,
} from '@grafana/grafana-foundation-sdk/heatmap';
import { DataqueryBuilder, PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder as Stat } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as Timeseries } from '@grafana/grafana-foundation-sdk/timeseries';
import { RUNBOOKS } from '../prometheus/rules.ts';

export interface Panel {
  /** Lines over time, stacked bars, one number now, or the buckets of a histogram. */
  readonly as: 'lines' | 'bars' | 'number' | 'heat';
  readonly title: string;
  readonly why: string;
  /** Grafana’s id of a unit: s, bytes, reqps, percentunit, short. */
  readonly unit: string;
  /** PromQL and the legend. */
  readonly queries: readonly (readonly [expr: string, legend: string])[];
  /** Anchor of the runbook to open where it looks wrong. */
  readonly runbook?: string;
  readonly max?: number;
}

export interface Dashboard {
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  readonly rows: readonly (readonly [title: string, panels: readonly Panel[]])[];
}

/** What every query selects by. Without Kubernetes there is no namespace, which `.*` takes as well. */
export const OURS = 'namespace=~"$namespace",job=~"$job"';

const SOURCE = { type: 'prometheus', uid: '$datasource' } as const;
const TAG = 'tapewatch';

/** Deterministic: the same source gives the same bytes. */
export function dashboardFile({ uid, title, description, rows }: Dashboard): string {
  const builder = new DashboardBuilder(`Tapewatch / ${title}`)
    .uid(uid)
    .description(description)
    .tags([TAG])
    .time({ from: 'now-1h', to: 'now' })
    .refresh('30s')
    .tooltip(DashboardCursorSync.Crosshair)
    .variables(variables())
    .links(links());
  let id = 0;
  for (const [name, panels] of rows) {
    builder.withRow(new RowBuilder(name).id(++id));
    for (const panel of panels) {
      const built = { ...panelOf(panel), id: ++id };
      builder.withPanel({ build: () => built });
    }
  }
  return `${JSON.stringify(builder.build(), null, 1)}\n`;
}

function variables(): (DatasourceVariableBuilder | QueryVariableBuilder)[] {
  const byLabel = (label: string, query: string): QueryVariableBuilder =>
    new QueryVariableBuilder(label)
      .label(label[0]!.toUpperCase() + label.slice(1))
      .datasource(SOURCE)
      .query({ query, refId: label })
      .refresh(VariableRefresh.OnTimeRangeChanged)
      .sort(VariableSort.AlphabeticalAsc)
      .multi(true)
      .includeAll(true)
      .allValue('.*')
      .current({ selected: true, text: 'All', value: '$__all' });
  const source = new DatasourceVariableBuilder('datasource').label('Data source').type('prometheus');
  return [
    source,
    byLabel('namespace', 'label_values(tapewatch_transactions_total, namespace)'),
    byLabel('job', 'label_values({__name__="tapewatch_transactions_total",namespace=~"$namespace"}, job)'),
  ];
}

function links(): DashboardLinkBuilder[] {
  return [
    new DashboardLinkBuilder('Tapewatch')
      .type(DashboardLinkType.Dashboards)
      .tags([TAG])
      .asDropdown(true)
      .includeVars(true)
      .keepTime(true),
    new DashboardLinkBuilder('Runbooks').type(DashboardLinkType.Link).url(RUNBOOKS).icon('doc').targetBlank(true),
  ];
}

const BUILDERS = {
  lines: () => graph().lineWidth(1).fillOpacity(5),
  bars: () =>
    graph()
      .drawStyle(GraphDrawStyle.Bars)
      .fillOpacity(60)
      .stacking(new StackingConfigBuilder().mode(StackingMode.Normal)),
  number: () =>
    new Stat()
      .height(4)
      .span(6)
      .reduceOptions(new ReduceDataOptionsBuilder().calcs(['lastNotNull']).values(false)),
  heat: () =>
    new Heatmap()
      .height(8)
      .span(12)
      .calculate(false)
      .color(new HeatmapColorOptionsBuilder().mode(HeatmapColorMode.Scheme).scheme('Oranges').steps(32).exponent(0.5))
      .yAxis(new YAxisConfigBuilder().unit('s')),
} as const;

function graph(): Timeseries {
  return new Timeseries()
    .height(8)
    .span(12)
    .min(0)
    .legend(
      new VizLegendOptionsBuilder()
        .displayMode(LegendDisplayMode.Table)
        .placement(LegendPlacement.Bottom)
        .showLegend(true)
        .calcs(['lastNotNull', 'max']),
    )
    .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi).sort(SortOrder.Descending));
}

function panelOf({ as, title, why, unit, queries, runbook, max }: Panel): GrafanaPanel {
  const builder = BUILDERS[as]().title(title).description(why).unit(unit).datasource(SOURCE);
  if (max !== undefined) builder.max(max);
  if (runbook)
    builder.links([
      new DashboardLinkBuilder('Runbook').type(DashboardLinkType.Link).url(`${RUNBOOKS}#${runbook}`).targetBlank(true),
    ]);
  queries.forEach(([expr, legend], i) => {
    const query = new DataqueryBuilder()
      .datasource(SOURCE)
      .expr(expr)
      .legendFormat(legend)
      .refId(String.fromCharCode(65 + i));
    builder.withTarget(as === 'heat' ? query.format(PromQueryFormat.Heatmap) : query);
  });
  return builder.build();
}
