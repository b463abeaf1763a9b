/** The real processes, and a real Prometheus that scrapes them and evaluates our rules. Nothing outlives the test. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
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
  /** All it has said. */
  said(): string;
  stop(): Promise<void>;
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
}

/** Scrapes every second, evaluates every second where a group names no interval of its own. */
export async function prometheus({ dir, jobs }: PrometheusOptions): Promise<Prometheus> {
  const home = mkdtempSync(join(tmpdir(), 'tapewatch-prometheus-'));
  const scrape_configs = Object.entries(jobs).map(([job_name, addresses]) => ({
    job_name,
    static_configs: [{ targets: addresses.map((address) => new URL(address).host), labels: { namespace: 'tape' } }],
  }));
  const config = join(home, 'prometheus.json');
  writeFileSync(
    config,
    JSON.stringify({
      global: { scrape_interval: '1s', evaluation_interval: '1s' },
      rule_files: [RULES],
      scrape_configs,
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

interface Result {
  readonly metric: Readonly<Record<string, string>>;
  readonly value?: readonly [number, string];
  readonly values?: readonly (readonly [number, string])[];
}

async function started(
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
    said: () => said,
    async stop() {
      process.off('exit', kill);
      await ended(child);
    },
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
