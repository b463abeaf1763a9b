/** What deploy/ generates from sources, the settings table among them, is what is committed. Lost otherwise: a chart that refuses a new setting. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { generatedFiles } from '../deploy/generated.ts';

test('rules, dashboards and the chart’s schema are those of their sources', () => {
  for (const [path, text] of Object.entries(generatedFiles()))
    assert.ok(
      readFileSync(new URL(`../deploy/${path}`, import.meta.url), 'utf8') === text,
      `deploy/${path} is not what its sources give: run "node deploy/generate.ts"`,
    );
});
