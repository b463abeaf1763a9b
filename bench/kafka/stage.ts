/** What the Kafka benches have in common: topics of their own, and detect processes over them. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { type KafkaLog, openKafkaLog } from '../../src/event-log/kafka/kafka-log.ts';
import { topicSpecs } from '../../src/event-log/topics.ts';

const BIN = fileURLToPath(new URL('../../bin/tapewatch.js', import.meta.url));
export const PARTITIONS = 12;
export const BUDGET = '24';

export interface Stage {
  readonly brokers: readonly string[];
  readonly prefix: string;
  readonly log: KafkaLog;
}

export async function fresh(brokers: readonly string[], name: string): Promise<Stage> {
  const prefix = `bench-${process.pid}-${name}.`;
  const log = await openKafkaLog({ brokers, clientId: 'bench', prefix });
  await log.ensureTopics(topicSpecs({ prefix: '', partitions: PARTITIONS, retentionMs: null }));
  return { brokers, prefix, log };
}

export async function behind({ log }: Stage): Promise<number> {
  return (await log.lag('detect', 'trades')).reduce((sum, { lag }) => sum + lag, 0);
}

export interface DetectProcess {
  readonly node?: readonly string[];
  readonly instance?: string;
}

export function detect({ brokers, prefix }: Stage, { node = [], instance }: DetectProcess = {}): ChildProcess {
  const env = { ...process.env, TAPEWATCH_KAFKA: brokers.join(','), TAPEWATCH_KAFKA_PREFIX: prefix };
  const named = instance === undefined ? [] : ['--instance', instance];
  const child = spawn(process.execPath, [...node, BIN, 'detect', '--port', '0', '--budget', BUDGET, ...named], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env,
  });
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  child.once('exit', () => process.off('exit', kill));
  return child;
}

export async function end(child: ChildProcess, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  const exited = once(child, 'exit');
  child.kill(signal);
  await exited;
}
