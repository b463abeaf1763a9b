/**
 * A model in the shadow of the active one, on the real broker: it says just what a backtest with it would, to topics of its
 * own, and nothing that people or other processes read is touched. `compare` tells the difference before the switch.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { policyOf } from '../../src/commands/policy.ts';
import { type KafkaLog, openKafkaLog } from '../../src/event-log/kafka/kafka-log.ts';
import { topicNames, topicSpecs } from '../../src/event-log/topics.ts';
import { Random } from '../../src/market/random.ts';
import type { Anomaly } from '../../src/market/records.ts';
import { ModelRegistry } from '../../src/model/registry.ts';
import { processClock } from '../../src/transport/network.ts';
import { type Cluster, noBroker, someBroker } from './broker.ts';
import { Fleet } from './fleet.ts';
import { drained, expected, feed, type Lines, tapeOf, wilderModel, written } from './tape.ts';

const BIN = fileURLToPath(new URL('../../bin/tapewatch.js', import.meta.url));
const skip = noBroker() ?? false;
const BUDGET = '24';
const prefix = `shadow-${process.pid}.`;
const dir = mkdtempSync(join(tmpdir(), 'tapewatch-shadow-'));
const tape = tapeOf({ seed: 5, symbols: 12, trades: 24_000 });
let cluster: Cluster;
let log: KafkaLog;
let env: Record<string, string>;

before(async () => {
  if (skip) return;
  cluster = await someBroker();
  env = { TAPEWATCH_KAFKA: cluster.brokers.join(','), TAPEWATCH_KAFKA_PREFIX: prefix };
  log = await openKafkaLog({ brokers: cluster.brokers, clientId: 'shadow', prefix });
  await log.ensureTopics(topicSpecs({ prefix: '', partitions: 3, retentionMs: null }));
});

after(async () => {
  rmSync(dir, { recursive: true });
  if (skip) return;
  await log.close();
  await cluster.stop();
});

function detectors(...args: string[]): Fleet {
  const random = new Random(1);
  return new Fleet({ role: 'detect', args, env, size: 1, sessionMs: 6000, random });
}

const behind = async (group: string): Promise<number> =>
  (await log.lag(group, 'trades')).reduce((sum, { lag }) => sum + lag, 0);

function anomaliesOf(lines: Lines): string[] {
  return [...lines].flatMap(([name, its]) => (name.startsWith('anomalies') ? its : []));
}

async function topicOf(topic: string): Promise<string[]> {
  const { records } = await log.read(topic, 0, 0, { maxRecords: 1e6, maxBytes: 1 << 28 });
  return records.map(({ value }) => String(value));
}

function compareCommand(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(process.execPath, [BIN, 'compare', ...args], {
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });
  assert.equal(status, 0, stderr);
  return stdout;
}

test('a shadow says what a backtest with its model does, and only to its own topics', { skip }, async () => {
  const active = detectors('--budget', BUDGET);
  const model = wilderModel(dir);
  try {
    const registry = new ModelRegistry(log, topicNames('').models);
    while (registry.active === null) {
      await processClock.sleep(50);
      await registry.refresh();
    }
    await feed(log, tape, Number.POSITIVE_INFINITY);
    await drained(() => behind('detect'), 60_000);
    const before = await written(log);
    const evidence = await Promise.all([0, 1, 2].map((partition) => log.bounds('evidence', partition)));
    const shadow = detectors('--shadow', model);
    try {
      await drained(() => behind('detect.wilder'), 60_000);
    } finally {
      await shadow.stop();
    }
    const wanted = await expected(tape, policyOf({ budget: BUDGET, model }));
    assert.deepEqual((await topicOf('anomalies.wilder')).sort(), anomaliesOf(wanted).sort());
    assert.notDeepEqual(
      anomaliesOf(wanted).sort(),
      anomaliesOf(before).sort(),
      'the models say the same: nothing is proved',
    );
    assert.deepEqual(await written(log), before, 'what the active one wrote is untouched');
    assert.deepEqual(await Promise.all([0, 1, 2].map((partition) => log.bounds('evidence', partition))), evidence);

    // Over Kafka and from two files the same comes out, and no incident is lost or counted twice.
    const files = [anomaliesOf(before), anomaliesOf(wanted)].map((lines, i) => {
      const path = join(dir, `${i}.ndjson`);
      writeFileSync(path, lines.map((line) => `${line}\n`).join(''));
      return path;
    });
    const told = JSON.parse(compareCommand('wilder', '--json'));
    const ofFiles = JSON.parse(compareCommand(...files, '--json'));
    for (const key of ['counts', 'bySymbol', 'byKind', 'both']) assert.deepEqual(told[key], ofFiles[key], key);
    const opened = (lines: readonly string[]): number =>
      lines.filter((line) => (JSON.parse(line) as Anomaly).phase === 'open').length;
    assert.equal(told.counts.both + told.counts.activeAlone, opened(anomaliesOf(before)));
    assert.equal(told.counts.both + told.counts.otherAlone, opened(anomaliesOf(wanted)));
    assert.ok(told.counts.both > 0 && told.counts.otherAlone > 0, JSON.stringify(told.counts));
    assert.match(compareCommand('wilder'), /Found by both \d+ .* by wilder alone [1-9]/);

    // Another model under the name would go on from this one's state.
    const other = JSON.parse(readFileSync(model, 'utf8'));
    writeFileSync(model, JSON.stringify({ ...other, provenance: { ...other.provenance, seed: 99 } }));
    const refused = spawnSync(process.execPath, [BIN, 'detect', '--port', '0', '--shadow', model], {
      encoding: 'utf8',
      env: { ...process.env, ...env },
    });
    assert.equal(refused.status, 2, refused.stderr);
    assert.match(refused.stderr, /wilder has run the model sha256:/);
  } finally {
    await active.stop();
  }
});
