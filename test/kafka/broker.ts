/**
 * A real Apache Kafka (KRaft) for the tests: from Maven Central's jars, kept in a cache; from the Docker image where there is
 * no Java; or one that is there (KAFKA_BROKERS=host:port,…). Nothing of it outlives the process that started it.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Admin } from '@platformatic/kafka';
import { processClock } from '../../src/transport/network.ts';
import type { Network } from './network.ts';

export interface BrokerNode {
  readonly id: number;
  readonly port: number;
  /** The broker's process; null where it runs in Docker. */
  process: ChildProcess | null;
  /** kill -9. */
  kill(): Promise<void>;
  /** SIGSTOP: to the others and to clients nearly what the network to it being cut is. */
  freeze(): void;
  thaw(): void;
  start(): void;
}

export interface Cluster {
  readonly brokers: readonly string[];
  readonly nodes: readonly BrokerNode[];
  stop(): Promise<void>;
}

export interface ClusterOptions {
  readonly nodes?: number;
  readonly heap?: string;
  /** Where they listen; 127.0.0.1 where not said. */
  readonly host?: string;
  /** Where each broker stands behind a cable of its own; it ends with the cluster. */
  readonly network?: Network;
  /** More lines for server.properties, and the listener that clients use. */
  readonly properties?: readonly string[];
  readonly listener?: 'PLAINTEXT' | 'SSL' | 'SASL_PLAINTEXT' | 'SASL_SSL';
  /** More arguments of `StorageTool format` (SCRAM users). */
  readonly format?: readonly string[];
}

const IMAGE = 'apache/kafka:4.3.0';
const CLUSTER_ID = '4L6g3nShT-eMCtK--X86sw';
const POM = fileURLToPath(new URL('./pom.xml', import.meta.url));
const CACHE = join(
  homedir(),
  '.cache',
  'tapewatch-test-broker',
  createHash('sha256').update(readFileSync(POM)).digest('hex').slice(0, 12),
);

function has(command: string, ...args: string[]): boolean {
  try {
    execFileSync(command, args, { stdio: 'ignore', timeout: 20_000 });
    return true;
  } catch {
    return false;
  }
}

/** Why no brokers of our own, to be killed and configured, can be started here; null where they can. */
export function noCluster(): string | null {
  if (has('java', '-version') && (existsSync(join(CACHE, 'libs')) || has('mvn', '-v'))) return null;
  return 'starts Kafka brokers of its own: install Java 17 and Maven';
}

/** Why no broker can be had here; null where one can. */
export function noBroker(): string | null {
  if (process.env['KAFKA_BROKERS'] || noCluster() === null) return null;
  if (has('docker', 'info')) return null;
  return 'needs a Kafka broker: install Java 17 and Maven, or Docker, or name one with KAFKA_BROKERS=host:port';
}

/** The broker that the environment names, else one of our own. */
export async function someBroker(): Promise<Cluster> {
  const given = process.env['KAFKA_BROKERS'];
  if (given) return { brokers: given.split(','), nodes: [], stop: () => Promise.resolve() };
  return startCluster();
}

export async function startCluster(options: ClusterOptions = {}): Promise<Cluster> {
  const count = options.nodes ?? 1;
  const ports = await freePorts(3 * count);
  if (noCluster()) return startDocker(ports, count);
  const libs = jars();
  const dir = mkdtempSync(join(tmpdir(), 'tapewatch-kafka-'));
  const { network, host = '127.0.0.1' } = options;
  const hostOf = (id: number): string => network?.host(id) ?? host;
  const voters = Array.from({ length: count }, (_, i) => `${i + 1}@${hostOf(i + 1)}:${ports[3 * i + 1]}`).join(',');
  const nodes = Array.from({ length: count }, (_, i) => node(i + 1));
  await Promise.all(nodes.map(({ id }) => format(id)));
  const onExit = (): void => {
    for (const { process: child } of nodes) child?.kill('SIGKILL');
    rmSync(dir, { recursive: true, force: true });
  };
  process.once('exit', onExit);
  for (const each of nodes) each.start();
  const brokers = nodes.map(({ id, port }) => `${hostOf(id)}:${port}`);
  // By the listener of the brokers among themselves, which asks nobody who is there.
  await ready(
    nodes.map(({ id }) => `${hostOf(id)}:${ports[3 * id - 1]}`),
    count,
  );
  return {
    brokers,
    nodes,
    async stop() {
      process.off('exit', onExit);
      await Promise.all(nodes.map((each) => each.kill()));
      network?.close();
      rmSync(dir, { recursive: true, force: true });
    },
  };

  function node(id: number): BrokerNode {
    const home = join(dir, String(id));
    mkdirSync(home, { recursive: true });
    writeFileSync(
      join(home, 'server.properties'),
      properties(id, ports, voters, join(home, 'data'), count, { ...options, host: hostOf(id) }),
    );
    return {
      id,
      port: ports[3 * (id - 1)]!,
      process: null,
      start() {
        const out = openSync(join(home, 'broker.log'), 'a');
        const jvm = [`-Xmx${options.heap ?? '320m'}`, '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=4'];
        const java = ['java', ...jvm, '-cp', `${libs}/*`, 'kafka.Kafka', join(home, 'server.properties')];
        const [command, ...args] = network ? network.inside(id, java) : java;
        this.process = spawn(command!, args, { stdio: ['ignore', out, out] });
      },
      async kill() {
        const child = this.process;
        if (!child || child.exitCode !== null || child.signalCode !== null) return;
        const gone = new Promise((resolve) => child.once('exit', resolve));
        child.kill('SIGKILL');
        await gone;
        this.process = null;
      },
      freeze() {
        this.process?.kill('SIGSTOP');
      },
      thaw() {
        this.process?.kill('SIGCONT');
      },
    };
  }

  async function format(id: number): Promise<void> {
    const data = join(dir, String(id), 'data');
    const kept = join(CACHE, `formatted-${id}`);
    if (!options.format && existsSync(kept)) return cpSync(kept, data, { recursive: true });
    const config = join(dir, String(id), 'server.properties');
    const args = [
      '-Xmx128m',
      '-XX:TieredStopAtLevel=1',
      '-cp',
      `${libs}/*`,
      'kafka.tools.StorageTool',
      'format',
      '-t',
      CLUSTER_ID,
      '-c',
      config,
      ...(options.format ?? []),
    ];
    await run('java', args);
    if (options.format) return;
    const fresh = `${kept}.${process.pid}`;
    cpSync(data, fresh, { recursive: true });
    if (existsSync(kept)) rmSync(fresh, { recursive: true });
    else renameSync(fresh, kept);
  }
}

/** The folder with the jars, filled by Maven the first time. */
export function jars(): string {
  const libs = join(CACHE, 'libs');
  if (existsSync(libs)) return libs;
  mkdirSync(CACHE, { recursive: true });
  const fresh = mkdtempSync(join(CACHE, 'fetch-'));
  execFileSync('mvn', ['-q', '-B', '-f', POM, 'dependency:copy-dependencies', `-DoutputDirectory=${fresh}`], {
    stdio: ['ignore', 'ignore', 'inherit'],
    timeout: 300_000,
  });
  if (existsSync(libs)) rmSync(fresh, { recursive: true });
  else renameSync(fresh, libs);
  return libs;
}

function properties(
  id: number,
  ports: readonly number[],
  voters: string,
  data: string,
  count: number,
  options: ClusterOptions,
): string {
  const broker = ports[3 * (id - 1)]!;
  const replicas = Math.min(3, count);
  const inSync = replicas >= 3 ? 2 : 1;
  const listener = options.listener ?? 'PLAINTEXT';
  const host = options.host ?? '127.0.0.1';
  return [
    'process.roles=broker,controller',
    `node.id=${id}`,
    `controller.quorum.voters=${voters}`,
    `listeners=CLIENT://${host}:${broker},INTERNAL://${host}:${ports[3 * id - 1]},CONTROLLER://${host}:${ports[3 * id - 2]}`,
    `advertised.listeners=CLIENT://${host}:${broker},INTERNAL://${host}:${ports[3 * id - 1]}`,
    'controller.listener.names=CONTROLLER',
    'inter.broker.listener.name=INTERNAL',
    `listener.security.protocol.map=CLIENT:${listener},INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT`,
    `log.dirs=${data}`,
    `default.replication.factor=${replicas}`,
    `min.insync.replicas=${inSync}`,
    `offsets.topic.replication.factor=${replicas}`,
    'offsets.topic.num.partitions=4',
    `transaction.state.log.replication.factor=${replicas}`,
    `transaction.state.log.min.isr=${inSync}`,
    'transaction.state.log.num.partitions=4',
    `share.coordinator.state.topic.replication.factor=${replicas}`,
    `share.coordinator.state.topic.min.isr=${inSync}`,
    'group.initial.rebalance.delay.ms=0',
    'group.min.session.timeout.ms=1000',
    'auto.create.topics.enable=false',
    'log.cleaner.dedupe.buffer.size=4194304',
    'log.cleaner.threads=1',
    'num.network.threads=2',
    'num.io.threads=2',
    'background.threads=2',
    'transaction.abort.timed.out.transaction.cleanup.interval.ms=1000',
    'broker.heartbeat.interval.ms=500',
    'broker.session.timeout.ms=3000',
    ...(options.properties ?? []),
    '',
  ].join('\n');
}

async function startDocker(ports: readonly number[], count: number): Promise<Cluster> {
  if (count !== 1) throw new Error('A cluster of several nodes needs Java and Maven.');
  const [port] = ports as [number];
  const name = `tapewatch-kafka-${process.pid}-${port}`;
  const env = Object.entries({
    KAFKA_NODE_ID: '1',
    KAFKA_PROCESS_ROLES: 'broker,controller',
    KAFKA_LISTENERS: `PLAINTEXT://:${port},CONTROLLER://:${ports[1]}`,
    KAFKA_ADVERTISED_LISTENERS: `PLAINTEXT://127.0.0.1:${port}`,
    KAFKA_CONTROLLER_LISTENER_NAMES: 'CONTROLLER',
    KAFKA_LISTENER_SECURITY_PROTOCOL_MAP: 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
    KAFKA_CONTROLLER_QUORUM_VOTERS: `1@localhost:${ports[1]}`,
    KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR: '1',
    KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR: '1',
    KAFKA_TRANSACTION_STATE_LOG_MIN_ISR: '1',
    KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS: '0',
    KAFKA_GROUP_MIN_SESSION_TIMEOUT_MS: '1000',
  }).flatMap(([key, value]) => ['-e', `${key}=${value}`]);
  await run('docker', ['run', '-d', '--rm', '--name', name, '-p', `${port}:${port}`, ...env, IMAGE]);
  const remove = (): void => void spawn('docker', ['rm', '-f', name], { stdio: 'ignore', detached: true }).unref();
  process.once('exit', remove);
  const brokers = [`127.0.0.1:${port}`];
  await ready(brokers, 1);
  return {
    brokers,
    nodes: [],
    async stop() {
      process.off('exit', remove);
      await run('docker', ['rm', '-f', name]);
    },
  };
}

/** Resolves when all brokers are known to the cluster. */
export async function ready(brokers: readonly string[], count: number): Promise<void> {
  const until = Date.now() + 90_000;
  for (;;) {
    const admin = new Admin({
      clientId: 'ready',
      bootstrapBrokers: [...brokers],
      retries: 0,
      timeout: 2000,
      connectTimeout: 1000,
    });
    try {
      const { brokers: known } = await admin.metadata({ topics: [] });
      if (known.size >= count) return;
    } catch (error) {
      if (Date.now() > until) throw error;
    } finally {
      await admin.close();
    }
    if (Date.now() > until) throw new Error(`Only some of ${count} brokers came up in 90 s.`);
    await processClock.sleep(150);
  }
}

async function run(command: string, args: readonly string[]): Promise<void> {
  let said = '';
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  child.stdout.on('data', (data) => (said += data));
  child.stderr.on('data', (data) => (said += data));
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  if (code !== 0) throw new Error(`${command} ended with ${code}: ${said.slice(-2000)}`);
}

async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((resolve, reject) => {
          server.once('error', reject);
          server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port));
        }),
    ),
  );
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
