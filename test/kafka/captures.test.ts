/**
 * Two captures, killed, stopped beyond their session and restarted at random during a stream with faults: a reader with the
 * design's rule sees every trade id of the exchange once and in order, symbol by symbol. What stands on the topic more than
 * once is counted. TAPEWATCH_CHAOS=full is the full size.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { type KafkaLog, openKafkaLog } from '../../src/event-log/kafka/kafka-log.ts';
import { topicSpecs } from '../../src/event-log/topics.ts';
import { decodeTapeRecord } from '../../src/market/codec.ts';
import { Random } from '../../src/market/random.ts';
import { isTrade, type TradeText } from '../../src/market/records.ts';
import { startExchange } from '../../src/simulator/exchange-server.ts';
import { parseFaults } from '../../src/simulator/faults.ts';
import { networkHost, processClock } from '../../src/transport/network.ts';
import { type Cluster, noBroker, someBroker } from './broker.ts';
import { Fleet } from './fleet.ts';
import { FULL, SEED } from './scenario.ts';
import { START, tapeOf } from './tape.ts';

const skip = noBroker() ?? false;
const SIZE = FULL
  ? { symbols: 60, trades: 300_000, seconds: 300, mishaps: 40 }
  : { symbols: 12, trades: 30_000, seconds: 30, mishaps: 6 };
const PARTITIONS = 6;
const SESSION_MS = 3000;

let cluster: Cluster;
before(async () => {
  if (!skip) cluster = await someBroker();
});
after(() => cluster?.stop());

test(`captures that die and zombies lose no trade and put none twice (seed ${SEED})`, {
  skip,
  timeout: 900_000,
}, async (t) => {
  const prefix = `captures-${process.pid}.`;
  const log = await openKafkaLog({ brokers: cluster.brokers, clientId: 'captures', prefix });
  await log.ensureTopics(topicSpecs({ prefix: '', partitions: PARTITIONS, retentionMs: null }));
  const tape = tapeOf({ ...SIZE, seed: SEED });
  const symbols = [...new Set(tape.map(({ symbol }) => symbol))];
  const span_s = (tape.at(-1)!.timeUs / 1000 - START) / 1000;
  const at = (share: number): number => Math.round(span_s * share);
  let sent = 0;
  const exchange = await startExchange({
    host: networkHost,
    port: 0,
    symbols,
    startMs: START,
    speed: span_s / SIZE.seconds,
    faults: parseFaults(
      `cut@${at(0.2)},hole@${at(0.35)}:9,duplicate@${at(0.45)}:6,reorder@${at(0.5)}:2,hole@${at(0.6)}:40,cut@${at(0.75)}`,
    ),
    source: (untilMs) => {
      const from = sent;
      while (sent < tape.length && tape[sent]!.timeUs <= untilMs * 1000) sent++;
      return tape.slice(from, sent);
    },
  });
  const fleet = new Fleet({
    role: 'capture',
    args: [
      '--symbols',
      symbols.join(','),
      '--ws-url',
      exchange.wsUrl,
      '--rest-url',
      exchange.httpUrl,
      '--history',
      '0',
    ],
    env: {
      TAPEWATCH_KAFKA: cluster.brokers.join(','),
      TAPEWATCH_KAFKA_PREFIX: prefix,
      TAPEWATCH_KAFKA_SESSION: String(SESSION_MS),
    },
    size: 2,
    sessionMs: SESSION_MS,
    random: new Random(SEED),
  });
  const last = lastIds(tape);
  try {
    await processClock.sleep(4000);
    await fleet.befall(SIZE.mishaps, (SIZE.seconds * 700) / SIZE.mishaps, ['kill', 'stop', 'kill']);
    while (exchange.published() < tape.length) await processClock.sleep(200);
    for (let waited = 0; !(await isWhole(log, last)) && waited < 60; waited++) await processClock.sleep(1000);
  } finally {
    await fleet.stop();
    await exchange.stop();
  }
  const { passed, raw, below, firsts, faults } = await readByTheRule(log);
  await log.close();
  t.diagnostic(
    `${tape.length} trades published, ${raw} trade records on the topic, ${below} of them repeated; ${JSON.stringify(fleet.befallen)}`,
  );
  for (const words of fleet.words) t.diagnostic(words);
  assert.deepEqual(faults, []);
  for (const [symbol, id] of last) {
    assert.equal(passed.get(symbol), id, `${symbol} ends with its last trade`);
    // The first trades came before anybody had subscribed.
    assert.ok(firsts.get(symbol)! < id / 4, `${symbol} begins at ${firsts.get(symbol)}`);
  }
  assert.equal(fleet.befallen.ownEnds, 0, 'no process ends by itself');
});

function lastIds(tape: readonly TradeText[]): ReadonlyMap<string, number> {
  return new Map(tape.map(({ symbol, id }) => [symbol, id]));
}

async function isWhole(log: KafkaLog, last: ReadonlyMap<string, number>): Promise<boolean> {
  const { passed } = await readByTheRule(log);
  return [...last].every(([symbol, id]) => passed.get(symbol) === id);
}

/** Drops trades at or below the last id passed; tells of ids that are passed over without a gap that says so. */
async function readByTheRule(log: KafkaLog) {
  const passed = new Map<string, number>();
  const firsts = new Map<string, number>();
  const faults: string[] = [];
  let [raw, below] = [0, 0];
  for (let partition = 0; partition < PARTITIONS; partition++) {
    let epoch = 0;
    for (let from = 0; ; ) {
      const { records, next } = await log.read('trades', partition, from);
      if (records.length === 0) break;
      from = next;
      for (const { value } of records) {
        const record = decodeTapeRecord(value!);
        if (!isTrade(record)) {
          const its = 'epoch' in record ? (record.epoch ?? epoch) : epoch;
          if (its < epoch) continue;
          epoch = its;
          // Every id is with the exchange: nothing may be given up.
          if (record.type === 'gap') faults.push(`a gap of ${record.symbol} ${record.first} to ${record.last}`);
          continue;
        }
        raw++;
        const before = passed.get(record.symbol);
        if (before === undefined) firsts.set(record.symbol, record.id);
        else if (record.id <= before) {
          below++;
          continue;
        } else if (record.id !== before + 1) faults.push(`${record.symbol} goes from ${before} to ${record.id}`);
        passed.set(record.symbol, record.id);
      }
    }
  }
  return { passed, raw, below, firsts, faults };
}
