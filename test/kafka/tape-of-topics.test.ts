/** The log on Kafka is a tape like any other: a backtest of its topics gives the bytes of a backtest of the same trades in a file. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { openKafkaLog } from '../../src/event-log/kafka/kafka-log.ts';
import { topicNames, topicSpecs } from '../../src/event-log/topics.ts';
import { encodeTrade } from '../../src/market/codec.ts';
import { type Cluster, noBroker, someBroker } from './broker.ts';
import { tapeOf } from './tape.ts';

const BIN = fileURLToPath(new URL('../../bin/tapewatch.js', import.meta.url));
const skip = noBroker() ?? false;
let cluster: Cluster;
if (!skip) {
  before(async () => {
    cluster = await someBroker();
  });
  after(() => cluster.stop());
}

test('a backtest of topics gives the bytes of a backtest of the file', { skip }, async () => {
  const prefix = `tape-${process.pid}.`;
  const log = await openKafkaLog({ brokers: cluster.brokers, clientId: 'tape', prefix });
  const trades = tapeOf({ seed: 11, symbols: 6, trades: 12_000 });
  const path = join(mkdtempSync(join(tmpdir(), 'tapewatch-topics-')), 'tape.ndjson');
  writeFileSync(path, trades.map((trade) => `${encodeTrade(trade)}\n`).join(''));
  try {
    await log.ensureTopics(topicSpecs({ prefix: '', partitions: 3, retentionMs: null }));
    const topic = topicNames('').trades;
    for (let i = 0; i < trades.length; i += 2000) {
      const some = trades.slice(i, i + 2000);
      await log.append(some.map((trade) => ({ topic, key: trade.symbol, value: Buffer.from(encodeTrade(trade)) })));
    }
    // What can't be read is for the dead letters, and does not end the tape.
    await log.append([{ topic, key: 'X', value: Buffer.from('no record') }]);
  } finally {
    await log.close();
  }
  const run = (tape: string): ReturnType<typeof spawnSync> =>
    spawnSync(process.execPath, [BIN, 'backtest', '--tape', tape, '--budget', '24'], {
      encoding: 'utf8',
      env: { ...process.env, TAPEWATCH_KAFKA_PREFIX: prefix },
    });
  const topics = run(`kafka://${cluster.brokers.join(',')}`);
  const file = run(path);
  assert.equal(topics.status, 0, String(topics.stderr));
  assert.match(String(topics.stderr), /12000 trades of 6 symbols/);
  assert.ok(String(file.stdout).split('\n').length > 5, 'nothing to compare');
  assert.equal(topics.stdout, file.stdout);
});
