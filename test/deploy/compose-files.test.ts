/**
 * What Compose’s files say, without running them. Lost if this fails: a Grafana without its dashboards, which no test here can
 * start, or a server that changes under a user since its image was not pinned.
 */
import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { DASHBOARDS } from '../../deploy/grafana/dashboards.ts';
import { SETTINGS } from '../../src/settings.ts';
import { modelTools } from './tools.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const models = modelTools();
const skip = models.missing ?? false;

interface Service {
  readonly image: string;
  readonly restart: string;
  readonly healthcheck?: object;
  readonly mem_limit?: string;
  readonly environment?: Readonly<Record<string, unknown>>;
  readonly volumes?: readonly string[];
}

function yaml<T>(path: string): T {
  const { parse } = createRequire(join(models.dir!, 'package.json'))('yaml') as {
    parse(text: string, options: object): T;
  };
  return parse(readFileSync(join(ROOT, path), 'utf8'), { merge: true });
}

const services = (): Readonly<Record<string, Service>> =>
  yaml<{ services: Readonly<Record<string, Service>> }>('compose.yaml').services;

test('every service of Compose is pinned, bounded, asked for its health, and comes back', { skip }, () => {
  for (const [name, { image, restart, healthcheck, mem_limit }] of Object.entries(services())) {
    assert.match(image, /^\$\{TAPEWATCH_IMAGE:-tapewatch:local\}$|^[\w-]+\/[\w-]+:v?\d+\.\d+\.\d+$/, name);
    assert.equal(restart, 'unless-stopped', name);
    assert.ok(healthcheck && mem_limit, name);
  }
});

test('what Compose and its demo set are settings that there are', { skip }, () => {
  const known = new Set(SETTINGS.map(({ key }) => `TAPEWATCH_${key.toUpperCase().replaceAll('-', '_')}`));
  const demo = readFileSync(join(ROOT, 'deploy/compose/demo.env'), 'utf8').match(/^TAPEWATCH_\w+/gm)!;
  const set = Object.values(services()).flatMap(({ environment }) => Object.keys(environment ?? {}));
  const ours = [...demo, ...set.filter((name) => name.startsWith('TAPEWATCH_'))];
  assert.ok(ours.length > 10);
  for (const name of ours) assert.ok(known.has(name), name);
});

test('Grafana is given its data source and every dashboard, where its provisioning looks for them', { skip }, () => {
  const { environment, volumes } = services()['grafana']!;
  const mounted = new Map(volumes!.map((volume) => volume.split(':').slice(0, 2).reverse() as [string, string]));
  const hostPath = (path: string): string => {
    const [inside, outside] = [...mounted].find(([at]) => path.startsWith(at))!;
    return join(ROOT, outside, path.slice(inside.length));
  };
  const provisioning = 'deploy/compose/grafana';
  assert.equal(mounted.get('/etc/grafana/provisioning'), `./${provisioning}`);
  const { datasources } = yaml<{ datasources: { type: string; url: string; isDefault?: boolean }[] }>(
    `${provisioning}/datasources/prometheus.yaml`,
  );
  // The dashboards choose a source by a variable, which begins with the default one.
  const main = datasources.find(({ isDefault }) => isDefault)!;
  assert.deepEqual([main.type, main.url], ['prometheus', 'http://prometheus:9090']);
  const { providers } = yaml<{ providers: { options: { path: string } }[] }>(
    `${provisioning}/dashboards/tapewatch.yaml`,
  );
  const folder = hostPath(providers[0]!.options.path);
  const uids = readdirSync(folder).map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')).uid as string);
  assert.deepEqual(uids.sort(), DASHBOARDS.map(({ uid }) => uid).sort());
  assert.ok(existsSync(hostPath(String(environment!['GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH']))));
});
