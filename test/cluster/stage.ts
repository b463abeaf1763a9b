/** What the cases have in common: the cluster that run.ts started, a broker, the log on it, and the chart’s values. */
import { execFile } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type KafkaLog, openKafkaLog } from '../../src/event-log/kafka/kafka-log.ts';
import { type Cluster, startCluster } from '../kafka/broker.ts';
import { type Kube, NODE, openKube, type Pod } from './kube.ts';

interface Given {
  readonly folder: string;
  readonly kubectl: string;
  readonly helm: string;
  readonly prometheus: string;
  readonly metricsServer: string;
  readonly tag: string;
  readonly nextTag: string;
}

const BIN = fileURLToPath(new URL('../../bin/tapewatch.js', import.meta.url));
const EXCHANGE = readFileSync(new URL('./exchange.yaml', import.meta.url), 'utf8');
const SYMBOLS = ['BTCUSDT', 'ETHUSDT', 'SOLUSDT', 'XRPUSDT', 'DOGEUSDT', 'ADAUSDT'];
const PARTITIONS = 6;
const ADDRESS = '10.96.0.50:9443';

/** That writes over HTTP need. */
export const TOKEN = 'cluster-test';

export interface Stage {
  readonly given: Given;
  readonly kube: Kube;
  readonly log: KafkaLog;
  readonly broker: Cluster;
  stop(): Promise<void>;
}

/** Brings up the broker and the simulated exchange. */
export async function openStage(): Promise<Stage> {
  const given = JSON.parse(process.env['TAPEWATCH_CLUSTER']!) as Given;
  const kube = openKube(given.folder, given.kubectl);
  const broker = await startCluster({ host: NODE });
  const log = await openKafkaLog({ brokers: broker.brokers, clientId: 'cluster-test', prefix: '' });
  await kube.kubectl(['create', 'secret', 'generic', 'api-token', `--from-literal=token=${TOKEN}`]);
  await kube.kubectl(['apply', '-f', '-'], EXCHANGE.replace('IMAGE', `tapewatch:${given.tag}`));
  return {
    given,
    kube,
    log,
    broker,
    async stop() {
      await log.close();
      await broker.stop();
    },
  };
}

/** The chart's values: less of the machine for each pod than its defaults, and no registry to pull from. `detectCpu` is asked for. */
export function valuesOf({ given, broker }: Stage, more: object = {}, detectCpu = '100m'): object {
  const share = (cpu: string, limit: string): object => ({
    resources: { requests: { cpu, memory: '128Mi' }, limits: { cpu: limit, memory: '768Mi' } },
  });
  return {
    image: { repository: 'tapewatch', tag: given.tag, pullPolicy: 'Never' },
    kafka: { brokers: broker.brokers },
    settings: {
      partitions: PARTITIONS,
      symbols: SYMBOLS,
      'ws-url': [`ws://${ADDRESS}`],
      'rest-url': [`http://${ADDRESS}`],
    },
    capture: { replicas: 1, ...share('50m', '1') },
    detect: { replicas: 2, ...share(detectCpu, '500m') },
    serve: { replicas: 1, ...share('50m', '1') },
    api: { tokenSecret: 'api-token' },
    ...more,
  };
}

/** `tapewatch ARGS` against the broker, with the repository's own code. */
export async function tapewatch({ broker }: Stage, ...args: readonly string[]): Promise<string> {
  const env = { ...process.env, TAPEWATCH_KAFKA: broker.brokers.join(',') };
  const { stdout } = await promisify(execFile)(process.execPath, [BIN, ...args], { env, maxBuffer: 1 << 30 });
  return stdout;
}

/** How many records of `trades` the detect pods have not read yet. */
export async function lagOf({ log }: Stage): Promise<number> {
  return (await log.lag('detect', 'trades')).reduce((sum, { lag }) => sum + lag, 0);
}

/** Records on `trades`, all partitions. */
export async function tradesOf({ log }: Stage): Promise<number> {
  let sum = 0;
  for (let partition = 0; partition < PARTITIONS; partition++) sum += (await log.bounds('trades', partition)).end;
  return sum;
}

/** Signals the processes of a pod's container, from outside it. */
export function signal(pod: Pod, name: NodeJS.Signals): void {
  const id = pod.status.containerStatuses?.[0]?.containerID?.replace('containerd://', '');
  if (!id) throw new Error(`${pod.metadata.name} has no container.`);
  for (const file of globSync('/proc/[0-9]*/cgroup')) {
    try {
      if (readFileSync(file, 'utf8').includes(id)) process.kill(Number(file.split('/')[2]), name);
    } catch {
      // Gone meanwhile.
    }
  }
}

/** A file of the stage's own folder. */
export function fileOf({ given }: Stage, name: string): string {
  return join(given.folder, name);
}
