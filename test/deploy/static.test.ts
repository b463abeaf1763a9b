/**
 * Chart, manifests, image file and scripts, without running them. Lost if this fails: an installation that the API server
 * refuses, or takes while it silently drops a field.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { RUNBOOKS } from '../../deploy/prometheus/rules.ts';
import { kafkaOptions } from '../../src/commands/kafka.ts';
import { parseRules } from '../../src/detection/decision/rules.ts';
import { readConfig } from '../../src/notify/config.ts';
import { readSettings, SETTINGS } from '../../src/settings.ts';
import { CHART, helm, type Manifest, parse, render, VALUES } from './chart.ts';
import { helmTool, modelTools, prometheusTools, pythonTools, shellcheckTool } from './tools.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const [helmDir, models, python, prometheus, shellcheck] = [
  helmTool(),
  modelTools(),
  pythonTools(),
  prometheusTools(),
  shellcheckTool(),
];
const CRDS = /^(keda\.sh|monitoring\.coreos\.com)\//;

/** Why a test that needs these can't run; false where it can. */
function without(...tools: readonly { readonly missing?: string | undefined }[]): string | false {
  return tools.map(({ missing }) => missing).find((reason) => reason !== undefined) ?? false;
}

function manifests(values: object): readonly Manifest[] {
  return parse(models.dir!, render(helmDir.dir!, values));
}

for (const [name, values] of Object.entries(VALUES)) {
  test(`helm lints and renders the chart with ${name}`, { skip: without(helmDir) }, () => {
    helm(helmDir.dir!, ['lint', '--strict', CHART], values);
    assert.ok(render(helmDir.dir!, values).length > 1000);
  });

  test(`Kubernetes’ strict schemas take every object with ${name}`, { skip: without(helmDir, python) }, () => {
    validated(render(helmDir.dir!, values));
  });

  test(`pods are restricted, probed and without rights with ${name}`, { skip: without(helmDir, models) }, () => {
    const pods = manifests(values).filter(({ kind }) => /^(StatefulSet|Deployment|Job)$/.test(kind));
    assert.ok(pods.length >= 3);
    for (const { kind, metadata, spec } of pods) {
      const pod = (spec as PodOwner).template.spec;
      assert.equal(pod.automountServiceAccountToken, false, metadata.name);
      assert.equal(
        pod.enableServiceLinks,
        false,
        `${metadata.name}: a service’s variable would be taken for a setting`,
      );
      assert.equal(pod.securityContext['runAsNonRoot'], true);
      for (const container of pod.containers) {
        const { allowPrivilegeEscalation, readOnlyRootFilesystem, capabilities } = container.securityContext;
        assert.deepEqual([allowPrivilegeEscalation, readOnlyRootFilesystem], [false, true]);
        assert.deepEqual(capabilities, { drop: ['ALL'] });
        for (const what of ['requests', 'limits'] as const)
          assert.ok(container.resources[what].cpu && container.resources[what].memory, `${metadata.name}: ${what}`);
        if (kind === 'Job') continue;
        assert.ok((pod.terminationGracePeriodSeconds ?? 0) > 15 + 10, 'longer than a stop and a transaction');
        const probes = container as unknown as Record<string, Probe>;
        assert.ok((probes['livenessProbe']?.terminationGracePeriodSeconds ?? 99) < 15, 'what hangs hears no SIGTERM');
        for (const [probe, path] of Object.entries(PROBES)) assert.equal(probes[probe]?.httpGet.path, path, probe);
      }
    }
  });

  test(`our own parsers take the settings and files with ${name}`, { skip: without(helmDir, models) }, () => {
    const objects = manifests(values);
    const known = new Set(SETTINGS.map(({ key }) => `TAPEWATCH_${key.toUpperCase().replaceAll('-', '_')}`));
    for (const { kind, spec } of objects) {
      if (!/^(StatefulSet|Deployment|Job)$/.test(kind)) continue;
      const { env } = (spec as PodOwner).template.spec.containers[0]!;
      for (const each of env) assert.ok(known.has(each.name), each.name);
      const given = Object.fromEntries(
        env.flatMap((each) => (each.value === undefined ? [] : [[each.name, each.value]])),
      );
      // Files of secrets are in the cluster: what names them is left out here.
      const settings = readSettings(
        {},
        Object.fromEntries(Object.entries(given).filter(([key]) => !/_FILE|_TLS|_SASL/.test(key))),
      );
      assert.ok(kafkaOptions(settings, 'test').brokers.length > 0);
    }
    const files = objects.find(({ metadata }) => metadata.name.endsWith('-files'))?.data;
    if (files?.['rules.json']) assert.ok(parseRules(JSON.parse(files['rules.json'])).length > 0);
    if (files?.['notify.json'])
      assert.ok(readConfig(files['notify.json'], 'notify.json', () => 'https://hooks.slack.com/services/x').sinks[0]);
  });
}

test('objects of KEDA and the Prometheus operator keep to their types, with no field too many', {
  skip: without(helmDir, models),
}, async () => {
  const found = Object.values(VALUES).flatMap((values) =>
    manifests(values).filter(({ apiVersion }) => CRDS.test(apiVersion)),
  );
  const kinds = new Set(found.map(({ kind }) => kind));
  assert.deepEqual([...kinds].sort(), ['PrometheusRule', 'ScaledObject', 'ServiceMonitor', 'TriggerAuthentication']);
  for (const manifest of found) await validate(manifest);
  const faults = typeFaults(found);
  assert.equal(faults, '');
  // The check itself catches a field that is not there.
  const [first] = found.filter(({ kind }) => kind === 'ScaledObject');
  assert.match(typeFaults([{ ...first!, spec: { ...(first!.spec as object), coolDown: 1 } }]), /coolDown/);
});

test('values that can’t work are refused with a sentence', { skip: without(helmDir) }, () => {
  const broker = VALUES['least'] as object;
  const refused: readonly (readonly [object, RegExp])[] = [
    [{}, /kafka\.brokers is required/],
    [
      { ...broker, autoscaling: { mode: 'hpa', maxReplicas: 13 } },
      /maxReplicas is 13, but the topics have 12 partitions/,
    ],
    [{ ...broker, autoscaling: { mode: 'keda', minReplicas: 8 } }, /minReplicas is above/],
    [{ ...broker, autoscaling: { mode: 'both' } }, /mode/],
    [{ ...broker, detect: { replicas: 20 } }, /detect\.replicas is 20/],
    [{ ...broker, settings: { budget: 0 } }, /budget/],
    [{ ...broker, settings: { bugdet: 1 } }, /bugdet/],
    [{ ...broker, settings: { 'kafka-compression': 'zip' } }, /kafka-compression/],
    [{ kafka: { brokers: ['kafka'] } }, /brokers/],
    [{ kafka: { brokers: ['k:9092'], sasl: { mechanism: 'plain' } } }, /kafka\.sasl\.secret/],
    [
      { ...(VALUES['token, no policies'] as object), autoscaling: { mode: 'keda' } },
      /KEDA can't read lag with a token file/,
    ],
    [{ ...broker, terminationGracePeriodSeconds: 5 }, /terminationGracePeriodSeconds/],
  ];
  for (const [values, sentence] of refused) assert.throws(() => render(helmDir.dir!, values), sentence);
});

test('one way of scaling at a time, and none that fights the replicas', { skip: without(helmDir, models) }, () => {
  for (const [name, mode] of Object.entries({ least: 'off', 'everything, hpa': 'hpa', 'everything, keda': 'keda' })) {
    const objects = manifests(VALUES[name]!);
    const count = (kind: string): number => objects.filter((object) => object.kind === kind).length;
    assert.deepEqual(
      [count('HorizontalPodAutoscaler'), count('ScaledObject')],
      [mode === 'hpa' ? 1 : 0, mode === 'keda' ? 1 : 0],
    );
    const detect = objects.find(({ kind, metadata }) => kind === 'StatefulSet' && metadata.name.endsWith('detect'));
    assert.equal('replicas' in (detect!.spec as object), mode === 'off');
  }
});

test('promtool takes the rules that the chart renders, and they are those of deploy/prometheus', {
  skip: without(helmDir, models, prometheus),
}, () => {
  const rule = manifests(VALUES['everything, hpa']!).find(({ kind }) => kind === 'PrometheusRule')!;
  const yaml = readFileSync(join(ROOT, 'deploy/prometheus/tapewatch.rules.yaml'), 'utf8');
  assert.deepEqual(rule.spec, parse(models.dir!, yaml.replaceAll(RUNBOOKS, 'https://wiki.example/tapewatch'))[0]);
  inFolder((dir) => {
    writeFileSync(join(dir, 'rules.json'), JSON.stringify(rule.spec));
    execFileSync(join(prometheus.dir!, 'promtool'), ['check', 'rules', join(dir, 'rules.json')], { stdio: 'pipe' });
  });
});

test('amtool takes Alertmanager’s configuration', { skip: without(prometheus) }, () => {
  execFileSync(join(prometheus.dir!, 'amtool'), ['check-config', join(ROOT, 'deploy/alertmanager/alertmanager.yaml')], {
    stdio: 'pipe',
  });
});

test('the manifests of deploy/minikube keep to Kubernetes’ schemas, and its values to the chart’s', {
  skip: without(helmDir, python),
}, () => {
  const folder = join(ROOT, 'deploy/minikube');
  const ends = (name: string): boolean => name.endsWith('values.yaml');
  const files = readdirSync(folder);
  assert.deepEqual(files.filter(ends), ['simulated-values.yaml', 'values.yaml']);
  for (const chosen of [['values.yaml'], ['values.yaml', 'simulated-values.yaml']]) {
    const args = chosen.flatMap((name) => ['--values', join(folder, name)]);
    validated(helm(helmDir.dir!, ['template', 'tapewatch', CHART, ...args]));
  }
  for (const name of files) if (!ends(name)) validated(readFileSync(join(folder, name), 'utf8'));
});

test('the chart is of the version of the package', () => {
  const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };
  const chart = readFileSync(join(CHART, 'Chart.yaml'), 'utf8');
  assert.ok(chart.includes(`\nappVersion: ${version}\n`), `Chart.yaml: appVersion is not ${version}`);
});

const DOCKERFILE = join(ROOT, 'deploy/Dockerfile');
test('hadolint finds nothing in the Dockerfile', {
  skip: without(python) || (existsSync(DOCKERFILE) ? false : 'there is no deploy/Dockerfile yet'),
}, () => {
  lint(join(python.dir!, 'bin', 'hadolint'), [DOCKERFILE]);
});

test('shellcheck finds nothing in the scripts', { skip: without(shellcheck) }, () => {
  const files = execFileSync('git', ['-C', ROOT, 'ls-files', '*.sh', '.ci/run'], { encoding: 'utf8' })
    .trim()
    .split('\n');
  lint(
    join(shellcheck.dir!, 'shellcheck'),
    files.map((file) => join(ROOT, file)),
  );
});

const PROBES = { startupProbe: '/healthz', livenessProbe: '/healthz', readinessProbe: '/readyz' } as const;

interface Probe {
  readonly httpGet: { readonly path: string };
  readonly terminationGracePeriodSeconds?: number;
}

interface PodOwner {
  readonly template: {
    readonly spec: {
      readonly automountServiceAccountToken?: boolean;
      readonly enableServiceLinks?: boolean;
      readonly terminationGracePeriodSeconds?: number;
      readonly securityContext: Readonly<Record<string, unknown>>;
      readonly containers: readonly {
        readonly env: readonly { readonly name: string; readonly value?: string }[];
        readonly securityContext: Readonly<Record<string, unknown>>;
        readonly resources: Readonly<
          Record<'requests' | 'limits', { readonly cpu?: string; readonly memory?: string }>
        >;
      }[];
    };
  };
}

function inFolder<T>(work: (dir: string) => T): T {
  const dir = mkdtempSync(join(tmpdir(), 'tapewatch-static-'));
  try {
    return work(dir);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

function lint(command: string, args: readonly string[]): void {
  try {
    execFileSync(command, args, { encoding: 'utf8', stdio: 'pipe' });
  } catch (error) {
    assert.fail((error as { stdout: string }).stdout);
  }
}

/** Objects of custom resources are not among its schemas: they have a test of their own. */
function validated(yaml: string): void {
  inFolder((dir) => {
    const file = join(dir, 'manifests.yaml');
    writeFileSync(file, yaml);
    let said = '';
    try {
      said = execFileSync('python3', ['-m', 'kubernetes_validate', '--strict', file], {
        encoding: 'utf8',
        stdio: 'pipe',
        env: { ...process.env, PYTHONPATH: python.dir! },
      });
    } catch (error) {
      assert.fail((error as { stdout: string; stderr: string }).stdout + (error as { stderr: string }).stderr);
    }
    for (const line of said.split('\n').filter((each) => each.startsWith('WARN')))
      assert.match(line, /(keda\.sh|monitoring\.coreos\.com)\//, line);
  });
}

/** By the resource’s own schema. */
async function validate(manifest: Manifest): Promise<void> {
  const path = join(models.dir!, 'node_modules', `${modulePath(manifest)}.js`);
  const module = (await import(path)) as Record<string, new (object: Manifest) => { validate(): void }>;
  new module[manifest.kind]!(manifest).validate();
}

/** By TypeScript, which finds fields that the schemas would let pass. */
function typeFaults(found: readonly Manifest[]): string {
  return inFolder((dir) => {
    const lines = found.map((manifest, i) => {
      const type = `I${manifest.kind}`;
      return `import type { ${type} as T${i} } from '${modulePath(manifest)}';\nexport const m${i}: T${i} = ${JSON.stringify(manifest)};`;
    });
    writeFileSync(join(dir, 'objects.ts'), lines.join('\n'));
    symlinkSync(join(models.dir!, 'node_modules'), join(dir, 'node_modules'));
    const flags = [
      '--noEmit',
      '--strict',
      '--skipLibCheck',
      '--ignoreConfig',
      '--module',
      'esnext',
      '--moduleResolution',
      'bundler',
      '--types',
      '',
    ];
    try {
      execFileSync(join(ROOT, 'node_modules/.bin/tsc'), [...flags, join(dir, 'objects.ts')], {
        encoding: 'utf8',
        stdio: 'pipe',
      });
      return '';
    } catch (error) {
      return (error as { stdout: string }).stdout;
    }
  });
}

function modulePath({ apiVersion, kind }: Manifest): string {
  const name = apiVersion.startsWith('keda.sh') ? 'keda' : 'prometheus-operator';
  return `@kubernetes-models/${name}/${apiVersion}/${kind}`;
}
