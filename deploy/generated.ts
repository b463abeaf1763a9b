/** The files of this folder that are written by its sources: `node deploy/generate.ts`. A test checks that they agree. */
import { schemaFile } from './helm/schema.ts';
import { rulesFile } from './prometheus/rules.ts';

/** By path in this folder. Helm reads only what lies in the chart, so the rules stand there as well. */
export function generatedFiles(): Readonly<Record<string, string>> {
  const rules = rulesFile();
  return {
    'prometheus/tapewatch.rules.yaml': rules,
    'helm/tapewatch/files/tapewatch.rules.yaml': rules,
    'helm/tapewatch/values.schema.json': schemaFile(),
  };
}
