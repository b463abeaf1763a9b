/**
 * The alerting rules, on Prometheus’s own terms: promtool checks them and plays series through them. Lost if this fails: an
 * alert that stays silent at its fault, or wakes somebody for nothing.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ALERTS } from '../../deploy/prometheus/alerts.ts';
import { GROUPS, rulesFile } from '../../deploy/prometheus/rules.ts';
import { BURNS, SLOS } from '../../deploy/prometheus/slos.ts';
import { ALERT_CASES, type AlertCase, burnTest, recoveredTest } from './rule-cases.ts';
import { prometheusTools } from './tools.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const RULES = join(ROOT, 'deploy/prometheus/tapewatch.rules.yaml');
const tools = prometheusTools();
const skip = tools.missing ?? false;

function promtool(...args: readonly string[]): string {
  assert.ok(tools.dir);
  try {
    return execFileSync(join(tools.dir, 'promtool'), args, { encoding: 'utf8', stdio: 'pipe' });
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    throw new assert.AssertionError({ message: `promtool ${args.slice(0, 2).join(' ')}: ${stdout}${stderr}` });
  }
}

/** promtool’s test file (JSON is YAML), with the rules that matter alone: all of them take minutes to play. */
function play(groups: typeof GROUPS, tests: readonly object[], evaluationInterval = '15s'): void {
  const dir = mkdtempSync(join(tmpdir(), 'tapewatch-rules-'));
  try {
    const file = join(dir, 'test.json');
    writeFileSync(join(dir, 'rules.yaml'), rulesFile(groups));
    writeFileSync(file, JSON.stringify({ rule_files: ['rules.yaml'], evaluation_interval: evaluationInterval, tests }));
    promtool('test', 'rules', file);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

function ofSlo(slo: string): typeof GROUPS {
  return GROUPS.map((group) => ({
    ...group,
    rules: group.rules.filter(({ record, labels }) =>
      record ? !record.includes('_slo_') || record.includes(`_slo_${slo}:`) : labels?.['slo'] === slo,
    ),
  }));
}

function alertTest({ alert, name, interval = '15s', series, at, fires }: AlertCase): object {
  return {
    name,
    interval,
    input_series: Object.entries(series).map(([metric, values]) => ({ series: metric, values })),
    alert_rule_test: [
      {
        eval_time: at,
        alertname: alert,
        exp_alerts: fires.map(({ labels, annotations }) => ({ exp_labels: labels, exp_annotations: annotations })),
      },
    ],
  };
}

test('promtool takes the rules', { skip }, () => {
  assert.match(promtool('check', 'rules', '--lint=all', '--lint-fatal', RULES), /SUCCESS/);
});

test('each alert has a page in docs/runbooks.md, a severity, a summary and a description', () => {
  const pages = readFileSync(join(ROOT, 'docs/runbooks.md'), 'utf8');
  for (const { alert, runbook, severity, summary, description } of [
    ...ALERTS,
    { alert: 'TapewatchBudgetBurns', runbook: 'budget-burns', severity: 'critical', summary: '…', description: '…' },
  ]) {
    const heading = [...pages.matchAll(/^## (.+)$/gm)].find(([, text]) => anchor(text!) === runbook);
    assert.ok(heading, `${alert}: docs/runbooks.md has no heading ${runbook}`);
    const page = pages.slice(heading.index).split(/^## /m)[1]!;
    assert.ok(page.includes(`\`${alert}\``), `${alert}: its page does not name it`);
    for (const part of ['**It means**', '**Look**', '**Do**'])
      assert.ok(page.includes(part), `${alert}: its page lacks ${part}`);
    assert.ok(severity && summary && description);
  }
});

for (const { alert } of ALERTS)
  test(`${alert} fires at its fault and at nothing less`, { skip }, () => {
    const cases = ALERT_CASES.filter((each) => each.alert === alert);
    assert.ok(cases.some(({ fires }) => fires.length > 0) && cases.some(({ fires }) => fires.length === 0));
    const interval = cases.find((each) => each.interval)?.interval;
    play(GROUPS.slice(0, 1), cases.map(alertTest), interval);
  });

for (const slo of SLOS)
  test(`the budget of ${slo.name}: told at each burn rate, and not below it`, { skip }, () => {
    play(
      ofSlo(slo.name),
      BURNS.flatMap((burn) => [burnTest(slo, burn, 1.7), burnTest(slo, burn, 0.8)]),
    );
  });

test('a page that its fault has outlived stops', { skip }, () => play(ofSlo('available'), [recoveredTest()]));

function anchor(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\w\- ]/g, '')
    .replaceAll(' ', '-');
}
