/** The files of this folder that are written by its sources: `node deploy/generate.ts`. A test checks that they agree. */
import { DASHBOARDS } from './grafana/dashboards.ts';
import { dashboardFile } from './grafana/panels.ts';
import { schemaFile } from './helm/schema.ts';
import { rulesFile } from './prometheus/rules.ts';

/** By path in this folder. Helm reads only what lies in the chart, so the rules stand there as well. */
export function generatedFiles(): Readonly<Record<string, string>> {
  const rules = rulesFile();
  const dashboards = DASHBOARDS.flatMap((dashboard) => {
    const name = `dashboards/${dashboard.uid.replace('tapewatch-', '')}.json`;
    const json = dashboardFile(dashboard);
    return [`grafana/${name}`, `helm/tapewatch/files/${name}`].map((path) => [path, json] as const);
  });
  return {
    'prometheus/tapewatch.rules.yaml': rules,
    'helm/tapewatch/files/tapewatch.rules.yaml': rules,
    'helm/tapewatch/values.schema.json': schemaFile(),
    ...Object.fromEntries(dashboards),
  };
}
