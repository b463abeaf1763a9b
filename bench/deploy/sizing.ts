/**
 * `npm run bench:sizing`: what an installation needs, by the processes’ own metrics and the broker’s own log folders. One of
 * each role over one real broker against the simulated exchange, at several numbers of symbols.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { Admin } from '@platformatic/kafka';
import { processClock } from '../../src/transport/network.ts';
import { type Running, tapewatch } from '../../test/deploy/observed.ts';
import { noBroker, someBroker } from '../../test/kafka/broker.ts';

/** Symbols, and simulated seconds a second. */
const RUNS: readonly (readonly [symbols: number, speed: number])[] = [
  [50, 60],
  [300, 20],
  [900, 10],
];
const MEASURED_MS = 60_000;
const TOPICS = ['trades', 'bars', 'anomalies', 'detector-state', 'evidence'];
const ROLES = ['capture', 'detect', 'serve'] as const;
const print = (line: string): boolean => process.stdout.write(`${line}\n`);
const mb = (bytes: number): string => (bytes / 1e6).toFixed(0);

type Readings = ReadonlyMap<string, number>;

async function readings({ address }: Running): Promise<Readings> {
  const text = await (await fetch(`${address}/metrics`)).text();
  const sums = new Map<string, number>();
  for (const [, name, value] of text.matchAll(/^([a-z_]+)(?:\{[^}]*\})? ([\d.e+-]+)$/gm))
    sums.set(name!, (sums.get(name!) ?? 0) + Number(value));
  return sums;
}

const of = (all: Readings, name: string): number => all.get(name) ?? 0;

async function bytesByTopic(brokers: readonly string[], prefix: string): Promise<ReadonlyMap<string, number>> {
  const admin = new Admin({ clientId: 'sizing', bootstrapBrokers: [...brokers] });
  try {
    const partitions = Array.from({ length: 12 }, (_, i) => i);
    const topics = TOPICS.map((name) => ({ name: prefix + name, partitions: name === 'anomalies' ? [0] : partitions }));
    const described = await admin.describeLogDirs({ topics });
    const sizes = new Map<string, number>();
    for (const { name, partitions: found } of described.flatMap(({ results }) => results.flatMap((one) => one.topics)))
      sizes.set(
        name.slice(prefix.length),
        found.reduce((sum, { partitionSize }) => sum + Number(partitionSize), 0),
      );
    return sizes;
  } finally {
    await admin.close();
  }
}

async function measure(brokers: readonly string[], symbols: number, speed: number): Promise<void> {
  const data = mkdtempSync(join(tmpdir(), 'tapewatch-sizing-'));
  const prefix = `sizing-${process.pid}-${symbols}.`;
  const market = await tapewatch(['simulate', '--port', '0', '--symbols', String(symbols), '--speed', String(speed)]);
  const { ws, rest, symbols: names } = JSON.parse(market.said().split('\n')[0]!) as Record<string, string>;
  const kafka = ['--port', '0', '--kafka', brokers.join(','), '--kafka-prefix', prefix, '--partitions', '12'];
  const exchange = ['--ws-url', ws!, '--rest-url', rest!, '--symbols', String(names)];
  const running: Running[] = [];
  try {
    for (const [role, more] of [
      ['capture', exchange],
      ['detect', []],
      ['serve', ['--data', data]],
    ] as const)
      running.push(await tapewatch([role, ...kafka, ...more]));
    const [, detect] = running as [Running, Running, Running];
    while (of(await readings(detect), 'tapewatch_trades_scored_total') === 0) await processClock.sleep(500);
    // History is read and the first snapshots are written before anything is measured.
    await processClock.sleep(30_000);
    const before = await Promise.all(running.map(readings));
    const written = await bytesByTopic(brokers, prefix);
    await processClock.sleep(MEASURED_MS);
    const now = await Promise.all(running.map(readings));
    const writtenNow = await bytesByTopic(brokers, prefix);
    const trades = of(now[1]!, 'tapewatch_trades_scored_total') - of(before[1]!, 'tapewatch_trades_scored_total');
    print(`\n${symbols} symbols, ${Math.round(trades / (MEASURED_MS / 1000))} trades/s for ${MEASURED_MS / 1000} s`);
    ROLES.forEach((role, i) => {
      const cpu = of(now[i]!, 'process_cpu_seconds_total') - of(before[i]!, 'process_cpu_seconds_total');
      print(
        `  ${role.padEnd(8)} ${mb(of(now[i]!, 'process_resident_memory_bytes'))} MB resident, ${mb(of(now[i]!, 'nodejs_heap_size_used_bytes'))} MB heap, ${mb(of(now[i]!, 'nodejs_external_memory_bytes'))} MB external; ${(cpu / (MEASURED_MS / 1000)).toFixed(2)} cores`,
      );
    });
    for (const [topic, bytes] of writtenNow) {
      const grown = bytes - (written.get(topic) ?? 0);
      print(`  ${topic.padEnd(16)} ${mb(grown)} MB, ${mb((1e6 * grown) / trades)} MB a million trades`);
    }
  } finally {
    for (const each of [...running.reverse(), market]) await each.stop();
    rmSync(data, { recursive: true, force: true });
  }
}

const missing = noBroker();
if (missing) throw new Error(`This benchmark ${missing}.`);
const cluster = await someBroker();
try {
  print(`Node ${process.version}, ${cpus().length} × ${cpus()[0]!.model.trim()}, simulated exchange, lz4`);
  for (const [symbols, speed] of RUNS) await measure(cluster.brokers, symbols, speed);
} finally {
  await cluster.stop();
}
process.exit();
