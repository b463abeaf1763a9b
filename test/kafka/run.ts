/**
 * Runs tests against one broker that they share: `node test/kafka/run.ts FILE…`. Where no broker can be had the tests say so
 * and skip.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { noBroker, someBroker } from './broker.ts';

const missing = noBroker();
if (missing) process.stderr.write(`The Kafka tests are skipped: ${missing}.\n`);
const cluster = missing ? null : await someBroker();
const env = cluster ? { ...process.env, KAFKA_BROKERS: cluster.brokers.join(',') } : process.env;
const options = [
  '--conditions=tapewatch-source',
  '--test',
  '--test-concurrency=1',
  '--test-timeout=120000',
  '--test-force-exit',
];
const tests = spawn(process.execPath, [...options, ...process.argv.slice(2)], { stdio: 'inherit', env });
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => tests.kill(signal));
const [code] = (await once(tests, 'exit')) as [number | null];
await cluster?.stop();
process.exitCode = code ?? 1;
