/**
 * `start --kafka`: capture, detection and API in one process over the real broker, killed in the middle of the exchange's
 * stream and started anew. Each trade stands on the topic once, and what was found is what a backtest of the topics finds.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { policyOf } from '../../src/commands/policy.ts';
import { openKafkaLog } from '../../src/event-log/kafka/kafka-log.ts';
import { topicSpecs } from '../../src/event-log/topics.ts';
import { decodeTapeRecord } from '../../src/market/codec.ts';
import { Random } from '../../src/market/random.ts';
import { isTrade } from '../../src/market/records.ts';
import { startExchange } from '../../src/simulator/exchange-server.ts';
import { networkHost, processClock } from '../../src/transport/network.ts';
import { type Cluster, noBroker, someBroker } from './broker.ts';
import { Fleet } from './fleet.ts';
import { type Role, startRole } from './role.ts';
import { differenceOf, drained, expectedOfTopics, START, tapeOf, written } from './tape.ts';

const skip = noBroker() ?? false;
const PARTITIONS = 3;
const SECONDS = 20;
let cluster: Cluster;
before(async () => {
  if (!skip) cluster = await someBroker();
});
after(() => cluster?.stop());

test('start over Kafka keeps each trade once through a kill, and finds what a backtest finds', {
  skip,
  timeout: 180_000,
}, async (t) => {
  const prefix = `start-${process.pid}.`;
  const log = await openKafkaLog({ brokers: cluster.brokers, clientId: 'start-test', prefix });
  await log.ensureTopics(topicSpecs({ prefix: '', partitions: PARTITIONS, retentionMs: null }));
  const tape = tapeOf({ seed: 9, symbols: 6, trades: 15_000 });
  const symbols = [...new Set(tape.map(({ symbol }) => symbol))];
  const span_s = (tape.at(-1)!.timeUs / 1000 - START) / 1000;
  let sent = 0;
  let open = false;
  const exchange = await startExchange({
    host: networkHost,
    port: 0,
    symbols,
    startMs: START,
    speed: span_s / SECONDS,
    faults: [],
    source: (untilMs) => {
      if (!open) return [];
      const from = sent;
      while (sent < tape.length && tape[sent]!.timeUs <= untilMs * 1000) sent++;
      return tape.slice(from, sent);
    },
  });
  const env = {
    TAPEWATCH_KAFKA: cluster.brokers.join(','),
    TAPEWATCH_KAFKA_PREFIX: prefix,
    TAPEWATCH_KAFKA_SESSION: '3000',
  };
  const args = ['start', '--symbols', symbols.join(','), '--ws-url', exchange.wsUrl, '--rest-url', exchange.httpUrl];
  const start = (): Promise<Role> => startRole([...args, '--history', '0', '--budget', '24', '--json'], env);
  let role = await start();
  try {
    await ready(role);
    open = true;
    while (sent < tape.length / 2) await processClock.sleep(50);
    const gone = once(role.child, 'exit');
    role.child.kill('SIGKILL');
    await gone;
    role = await start();
    const last = new Map(tape.map(({ symbol, id }) => [symbol, id]));
    for (let waited = 0; ; waited += 500) {
      const ids = await passed();
      if ([...last].every(([symbol, id]) => ids.get(symbol)?.at(-1) === id)) break;
      assert.ok(waited < 90_000, 'not all trades are on the topic');
      await processClock.sleep(500);
    }
  } finally {
    await role.stop();
    await exchange.stop();
  }
  for (const [symbol, ids] of await passed()) {
    const [first] = ids as [number];
    assert.deepEqual(
      ids,
      [...ids.keys()].map((i) => first + i),
      `${symbol}: each id once and in order`,
    );
  }
  // It ended before it had scored all that it had captured: another goes on from there.
  const random = new Random(1);
  const fleet = new Fleet({ role: 'detect', args: [], env, size: 1, sessionMs: 3000, random });
  try {
    await drained(async () => (await log.lag('detect', 'trades')).reduce((sum, { lag }) => sum + lag, 0), 60_000);
  } finally {
    await fleet.stop();
  }
  const wanted = await expectedOfTopics(cluster.brokers, prefix, policyOf({}));
  const anomalies = [...wanted].reduce((sum, [name, its]) => sum + (name.startsWith('anomalies') ? its.length : 0), 0);
  t.diagnostic(`${tape.length} trades, ${anomalies} anomaly records`);
  assert.ok(anomalies > 10, 'the tape has too few anomalies to prove anything');
  assert.deepEqual(differenceOf(await written(log), wanted), { lost: 0, doubled: 0, wrong: 0, first: null });
  await log.close();

  /** Ids by symbol, as a reader by the design's rule passes them. */
  async function passed(): Promise<Map<string, number[]>> {
    const ids = new Map<string, number[]>();
    for (let partition = 0; partition < PARTITIONS; partition++)
      for (let from = 0; ; ) {
        const { records, next } = await log.read('trades', partition, from);
        if (records.length === 0) break;
        from = next;
        for (const record of records.map(({ value }) => decodeTapeRecord(value!)).filter(isTrade)) {
          const its = ids.get(record.symbol);
          if (!its) ids.set(record.symbol, [record.id]);
          else if (record.id > its.at(-1)!) its.push(record.id);
        }
      }
    return ids;
  }
});

async function ready({ address }: Role): Promise<void> {
  for (let waited = 0; (await fetch(`${address}/readyz`)).status !== 200; waited += 100) {
    assert.ok(waited < 30_000, 'not ready after 30 s');
    await processClock.sleep(100);
  }
}
