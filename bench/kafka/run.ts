/**
 * `npm run bench:kafka`: detect on one real broker with everything on (transactions, snapshots, bars): trades a second and
 * CPU with its shares, the time from append to anomaly at two rates, the time to restore 500 symbols after kill -9, and how
 * long partitions stand still when processes come and go. `node bench/kafka/run.ts latency` runs one of them.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { policyOf } from '../../src/commands/policy.ts';
import type { EventLog, GroupMember } from '../../src/event-log/event-log.ts';
import { type KafkaLog, openKafkaLog } from '../../src/event-log/kafka/kafka-log.ts';
import { topicNames } from '../../src/event-log/topics.ts';
import type { Anomaly, TradeText } from '../../src/market/records.ts';
import { ModelRegistry } from '../../src/model/registry.ts';
import { DetectionService } from '../../src/pipeline/detection-service.ts';
import { processClock } from '../../src/transport/network.ts';
import { noBroker, someBroker } from '../../test/kafka/broker.ts';
import { drained, feed, tapeOf } from '../../test/kafka/tape.ts';
import { partsOf } from './parts.ts';
import { BUDGET, behind, detect, end, fresh, PARTITIONS } from './stage.ts';
import { standstill } from './standstill.ts';

const print = (line: string): boolean => process.stdout.write(`${line}\n`);

/** A backlog drained by one process. */
async function throughput(brokers: readonly string[], trades: number): Promise<void> {
  const bench = await fresh(brokers, 'throughput');
  await feed(bench.log, tapeOf({ seed: 1, symbols: 200, trades }), Number.POSITIVE_INFINITY);
  const dir = mkdtempSync(join(tmpdir(), 'tapewatch-profile-'));
  const child = detect(bench, { node: ['--cpu-prof', `--cpu-prof-dir=${dir}`] });
  while ((await bench.log.committed('detect', 'trades', 0)) === null) await processClock.sleep(20);
  const [began, left] = [performance.now(), await behind(bench)];
  await drained(() => behind(bench), 600_000);
  const seconds = (performance.now() - began) / 1000;
  await end(child);
  const parts = [...partsOf(dir)].filter(([part]) => part !== 'idle');
  const busy = parts.reduce((sum, [, micros]) => sum + micros, 0);
  print(
    `throughput: ${left} trades in ${seconds.toFixed(1)} s: ${Math.round(left / seconds)} trades/s; CPU ${(busy / 1e6).toFixed(1)} s in all with the start, ${(busy / trades) | 0} µs a trade`,
  );
  print(
    `  of that ${parts
      .sort((a, b) => b[1] - a[1])
      .map(([part, micros]) => `${part} ${Math.round((100 * micros) / busy)} %`)
      .join(', ')}`,
  );
  rmSync(dir, { recursive: true });
  await bench.log.close();
}

/** From the append of the trade that raised it (before it is batched) to where a read_committed reader has the anomaly. */
async function latency(brokers: readonly string[], rate: number, trades: number): Promise<void> {
  const bench = await fresh(brokers, `latency-${rate}`);
  const tape = tapeOf({ seed: 2, symbols: 200, trades });
  const half = Math.floor(tape.length / 2);
  const child = detect(bench);
  await feed(bench.log, tape.slice(0, half), Number.POSITIVE_INFINITY);
  await drained(() => behind(bench), 600_000);
  const { end: from } = await bench.log.bounds('anomalies', 0);
  const stop = new AbortController();
  const seen = new Map<string, number>();
  const reading = (async () => {
    for (let at = from; !stop.signal.aborted; ) {
      const { records, next } = await bench.log.read('anomalies', 0, at, { waitMs: 1000, signal: stop.signal });
      const now = performance.now();
      for (const { value } of records) {
        const anomaly = JSON.parse(String(value)) as Anomaly;
        if (anomaly.phase === 'open') seen.set(causeOf(anomaly), now);
      }
      at = next;
    }
  })();
  const writer = await openKafkaLog({ brokers, clientId: 'bench-writer', prefix: bench.prefix });
  const rest = tape.slice(half);
  const appendedAt = new Map<string, number>();
  const began = performance.now();
  await feedTimed(writer, rest, rate, appendedAt);
  const offered = rest.length / ((performance.now() - began) / 1000);
  await drained(() => behind(bench), 120_000);
  await processClock.sleep(500);
  stop.abort();
  await reading;
  await end(child);
  const times = [...seen]
    .flatMap(([key, at]) => (appendedAt.has(key) ? [at - appendedAt.get(key)!] : []))
    .sort((a, b) => a - b);
  const share = (q: number): string => times[Math.min(times.length - 1, Math.floor(q * times.length))]!.toFixed(0);
  print(
    `latency at ${Math.round(offered)} trades/s: p50 ${share(0.5)} ms, p99 ${share(0.99)} ms over ${times.length} incidents opened`,
  );
  await writer.close();
  await bench.log.close();
}

/** The trade that raised it: the one it is named after, or, where a second did (`ID@SECOND`), the next, which ended it. */
function causeOf({ id, symbol }: Anomaly): string {
  const [trade, second] = id.split(':')[2]!.split('@');
  return `${symbol} ${Number(trade) + (second === undefined ? 0 : 1)}`;
}

async function feedTimed(
  log: EventLog,
  trades: readonly TradeText[],
  rate: number,
  appendedAt: Map<string, number>,
): Promise<void> {
  const step = Math.max(1, Math.round(rate / 100));
  const began = performance.now();
  const pending: Promise<void>[] = [];
  for (let sent = 0; sent < trades.length; sent += step) {
    const wait = (sent / rate) * 1000 - (performance.now() - began);
    if (wait > 1) await processClock.sleep(wait);
    const now = performance.now();
    const part = trades.slice(sent, sent + step);
    for (const { symbol, id } of part) appendedAt.set(`${symbol} ${id}`, now);
    pending.push(feed(log, part, Number.POSITIVE_INFINITY));
    if (pending.length >= 50) await pending.shift();
  }
  await Promise.all(pending);
}

/** kill -9 of the only process; the next one is timed from being told its partitions to its first read. */
async function restore(brokers: readonly string[], trades: number): Promise<void> {
  const bench = await fresh(brokers, `restore-${trades}`);
  const tape = tapeOf({ seed: 3, symbols: 500, trades });
  const child = detect(bench);
  const early = tape.length - 80_000;
  await feed(bench.log, tape.slice(0, early), Number.POSITIVE_INFINITY);
  await feed(bench.log, tape.slice(early), 2000);
  await drained(() => behind(bench), 600_000);
  await end(child, 'SIGKILL');
  const log = await openKafkaLog({ brokers, clientId: 'bench-restore', prefix: bench.prefix });
  let [assigned, ready, replayed, partitions] = [0, 0, 0, 0];
  let cpu: NodeJS.CpuUsage = { user: 0, system: 0 };
  const timed = new Proxy(log, {
    get(target, key) {
      if (key !== 'join')
        return typeof target[key as keyof KafkaLog] === 'function'
          ? (target[key as keyof KafkaLog] as () => unknown).bind(target)
          : target[key as keyof KafkaLog];
      return async (options: Parameters<EventLog['join']>[0]): Promise<GroupMember> => {
        const member = await target.join(options);
        return {
          next: async (signal) => {
            if (assigned > 0 && ready === 0) {
              ready = performance.now();
              cpu = process.cpuUsage(cpu);
            }
            const event = await member.next(signal);
            if (event.kind === 'assigned' && event.partitions.length > 0) {
              if (assigned === 0) cpu = process.cpuUsage();
              assigned ||= performance.now();
              partitions += event.partitions.length;
            }
            return event;
          },
          seek: (partition, offset) => member.seek(partition, offset),
          commit: (outputs, offsets) => member.commit(outputs, offsets),
          leave: () => member.leave(),
        };
      };
    },
  });
  const stop = new AbortController();
  const service = new DetectionService({
    log: timed,
    topics: topicNames(''),
    group: 'detect',
    policy: policyOf({ budget: BUDGET }),
    policies: new ModelRegistry(log, topicNames('').models),
    now: Date.now,
    events: {
      restored: (_, records) => {
        replayed += records;
      },
    },
  });
  const running = service.run(stop.signal);
  while (ready === 0) await processClock.sleep(20);
  stop.abort();
  await running;
  print(
    `restore after kill -9, 500 symbols, history of ${trades} trades: ${partitions} partitions ready ${((ready - assigned) / 1000).toFixed(2)} s after assignment (${((cpu.user + cpu.system) / 1e6).toFixed(2)} s of CPU), ${replayed} records replayed`,
  );
  await log.close();
  await bench.log.close();
}

const missing = noBroker();
if (missing) {
  print(`The Kafka bench is skipped: ${missing}.`);
  process.exit(0);
}
const cluster = await someBroker();
print(
  `${new Date().toISOString()}, load ${loadavg()[0]!.toFixed(1)}, Node ${process.version}, ${cpus().length} x ${cpus()[0]?.model}; one Apache Kafka broker on the same machine, ${PARTITIONS} partitions`,
);
const wanted = process.argv.slice(2);
const chosen = (name: string): boolean => wanted.length === 0 || wanted.includes(name);
if (chosen('throughput')) await throughput(cluster.brokers, 300_000);
if (chosen('latency')) {
  await latency(cluster.brokers, 1000, 120_000);
  await latency(cluster.brokers, 20_000, 600_000);
}
if (chosen('restore')) {
  await restore(cluster.brokers, 200_000);
  await restore(cluster.brokers, 1_000_000);
}
if (chosen('standstill')) await standstill(cluster.brokers, print);
await cluster.stop();
process.exit(0);
