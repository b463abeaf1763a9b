/** The real processes, and a real Prometheus that scrapes them and evaluates our rules. Nothing outlives the test. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { processClock } from '../../src/transport/network.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const BIN = join(ROOT, 'bin/tapewatch.js');
const RULES = join(ROOT, 'deploy/prometheus/tapewatch.rules.yaml');
const START_MS = 60_000;

export interface Running {
  /** What its first address says: `http://127.0.0.1:PORT`. */
  readonly address: string;
  readonly pid: number;
  /** All it has said. */
  said(): string;
  stop(): Promise<void>;
  /** SIGSTOP and SIGCONT: it hangs, and goes on. */
  signal(name: NodeJS.Signals): void;
  /** The same command once more. */
  again(): Promise<Running>;
}

/** `tapewatch ROLE …`, once it tells where it answers. */
export function tapewatch(
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  told = /http:\/\/[\d.]+:\d+/,
): Promise<Running> {
  return started(process.execPath, [BIN, ...args], env, told);
}

export interface Prometheus extends Running {
  /** Samples of an instant query. */
  query(promql: string): Promise<readonly Sample[]>;
  /** The last value of each series of a range query over the last minute. */
  range(promql: string): Promise<readonly Sample[]>;
}

export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface PrometheusOptions {
  /** Folder of the executable. */
  readonly dir: string;
  /** Addresses by job. */
  readonly jobs: Readonly<Record<string, readonly string[]>>;
  /** Text of the rules, instead of what is committed. */
  readonly rules?: string;
  /** host:port of an Alertmanager. */
  readonly alertmanager?: string;
}

/** Scrapes every second, evaluates every second where a group names no interval of its own. */
export async function prometheus({ dir, jobs, rules, alertmanager }: PrometheusOptions): Promise<Prometheus> {
  const home = mkdtempSync(join(tmpdir(), 'tapewatch-prometheus-'));
  const scrape_configs = Object.entries(jobs).map(([job_name, addresses]) => ({
    job_name,
    static_configs: [{ targets: addresses.map((address) => new URL(address).host), labels: { namespace: 'tape' } }],
  }));
  const config = join(home, 'prometheus.json');
  const ruleFile = join(home, 'rules.yaml');
  writeFileSync(ruleFile, rules ?? readFileSync(RULES, 'utf8'));
  writeFileSync(
    config,
    JSON.stringify({
      global: { scrape_interval: '1s', evaluation_interval: '1s' },
      rule_files: [ruleFile],
      scrape_configs,
      ...(alertmanager ? { alerting: { alertmanagers: [{ static_configs: [{ targets: [alertmanager] }] }] } } : {}),
    }),
  );
  const port = await freePort();
  const args = [
    `--config.file=${config}`,
    `--storage.tsdb.path=${join(home, 'data')}`,
    `--web.listen-address=127.0.0.1:${port}`,
  ];
  const running = await started(join(dir, 'prometheus'), args, {}, /Server is ready/);
  const address = `http://127.0.0.1:${port}`;
  const ask = async (path: string, values: Readonly<Record<string, string>>): Promise<readonly Result[]> => {
    const response = await fetch(`${address}/api/v1/${path}?${new URLSearchParams(values)}`);
    const body = (await response.json()) as { error?: string; data?: { result: readonly Result[] } };
    if (!body.data) throw new Error(`${values['query']}: ${body.error}`);
    return body.data.result;
  };
  const sample = ({ metric, value, values }: Result): Sample => ({
    labels: metric,
    value: Number((value ?? values?.findLast(([, text]) => text !== 'NaN') ?? [0, 'NaN'])[1]),
  });
  return {
    ...running,
    address,
    query: async (query) => (await ask('query', { query })).map(sample),
    async range(query) {
      const end = Date.now() / 1000;
      return (await ask('query_range', { query, start: `${end - 60}`, end: `${end}`, step: '5' })).map(sample);
    },
    async stop() {
      await running.stop();
      rmSync(home, { recursive: true, force: true });
    },
  };
}

export interface Told {
  readonly status: 'firing' | 'resolved';
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface Alertmanager extends Running {
  readonly host: string;
  /** What its webhook has been told. */
  readonly told: readonly Told[];
}

/** Ours of deploy/alertmanager, its receiver a webhook of this process, without the waits. */
export async function alertmanager(dir: string): Promise<Alertmanager> {
  const home = mkdtempSync(join(tmpdir(), 'tapewatch-alertmanager-'));
  const told: Told[] = [];
  const receiver = createHttpServer(async (request, response) => {
    const parts: Uint8Array[] = [];
    for await (const part of request) parts.push(part as Uint8Array);
    told.push(...(JSON.parse(Buffer.concat(parts).toString()) as { alerts: Told[] }).alerts);
    response.end();
  });
  receiver.listen(0, '127.0.0.1');
  await once(receiver, 'listening');
  const hook = `http://127.0.0.1:${(receiver.address() as { port: number }).port}`;
  const ours = readFileSync(join(ROOT, 'deploy/alertmanager/alertmanager.yaml'), 'utf8');
  const config = join(home, 'alertmanager.yaml');
  writeFileSync(
    config,
    ours
      .replace(/^ {2}- name: page$/m, `  - name: page\n    webhook_configs: [{ url: '${hook}' }]`)
      .replace(/group_wait: .*/, 'group_wait: 0s')
      .replace(/group_interval: .*/, 'group_interval: 1s'),
  );
  const port = await freePort();
  const host = `127.0.0.1:${port}`;
  const args = [
    `--config.file=${config}`,
    `--storage.path=${home}`,
    `--web.listen-address=${host}`,
    '--cluster.listen-address=',
  ];
  // Debian's reads its templates from /usr/share, where nothing is installed: it gets a view of its own.
  const share = join(dir, '..', 'share');
  const view = `mount -t tmpfs none /usr/share && mkdir /usr/share/prometheus && mount --bind "$0" /usr/share/prometheus && exec "$@"`;
  const running = await started(
    'unshare',
    ['-m', 'sh', '-c', view, join(share, 'prometheus'), join(dir, 'prometheus-alertmanager'), ...args],
    {},
    /Listening on/,
  );
  return {
    ...running,
    host,
    told,
    async stop() {
      await running.stop();
      receiver.close();
      rmSync(home, { recursive: true, force: true });
    },
  };
}

interface Result {
  readonly metric: Readonly<Record<string, string>>;
  readonly value?: readonly [number, string];
  readonly values?: readonly (readonly [number, string])[];
}

/** A server of any kind, once it has said what `told` looks for. */
export async function started(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  told: RegExp,
): Promise<Running> {
  const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => (said += data.toString()));
  const until = Date.now() + START_MS;
  while (!told.test(said)) {
    if (child.exitCode !== null || Date.now() > until)
      throw new Error(`${command} ${args.join(' ')} did not start: ${said.slice(-2000)}`);
    await processClock.sleep(50);
  }
  return {
    address: told.exec(said)![0],
    pid: child.pid!,
    said: () => said,
    async stop() {
      process.off('exit', kill);
      await ended(child);
    },
    signal: (name) => void child.kill(name),
    again: () => started(command, args, env, told),
  };
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGTERM');
  const impatient = setTimeout(() => child.kill('SIGKILL'), 10_000);
  await gone;
  clearTimeout(impatient);
}

export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
