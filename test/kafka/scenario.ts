/** A tape flows through detect processes while something befalls them or the brokers; in the end every byte is compared. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { policyOf } from '../../src/commands/policy.ts';
import { openKafkaLog } from '../../src/event-log/kafka/kafka-log.ts';
import { topicSpecs } from '../../src/event-log/topics.ts';
import { Random } from '../../src/market/random.ts';
import { processClock } from '../../src/transport/network.ts';
import type { Cluster } from './broker.ts';
import { Fleet } from './fleet.ts';
import {
  differenceOf,
  drained,
  expected,
  expectedOfTopics,
  feed,
  type Lines,
  tapeOf,
  written,
  writtenByReference,
} from './tape.ts';

export interface Scenario {
  readonly cluster: Cluster;
  readonly seed: number;
  readonly symbols: number;
  readonly trades: number;
  readonly partitions: number;
  /** Trades a second offered. */
  readonly rate: number;
  /** Compares also what Apache Kafka's own client reads. */
  readonly reference: boolean;
  readonly befall: (fleet: Fleet, stage: Stage) => Promise<void>;
  /** What a backtest of the topics gives is wanted, with the activations that stand there; else of the trades alone. */
  readonly ofTopics?: boolean;
  /** What else must be so in the end. */
  readonly inTheEnd?: (fleet: Fleet, wanted: Lines) => void;
}

export interface Stage {
  /** Settings by which a process finds this scenario's topics. */
  readonly env: Readonly<Record<string, string>>;
  /** Resolves when this share of the tape has been written. */
  written(share: number): Promise<void>;
}

export const SEED = Number(process.env['TAPEWATCH_SEED'] ?? Date.now() % 100_000);
export const FULL = process.env['TAPEWATCH_CHAOS'] === 'full';
const SESSION_MS = 3000;
const BUDGET = '24';
const SAME = { lost: 0, doubled: 0, wrong: 0, first: null };
let scenarios = 0;

export async function runScenario(t: TestContext, scenario: Scenario): Promise<void> {
  const { cluster, seed, partitions, rate, befall, reference } = scenario;
  const prefix = `scenario-${process.pid}-${scenarios++}.`;
  const log = await openKafkaLog({ brokers: cluster.brokers, clientId: 'scenario', prefix });
  await log.ensureTopics(topicSpecs({ prefix: '', partitions, retentionMs: null }));
  const tape = tapeOf(scenario);
  const env = {
    TAPEWATCH_KAFKA: cluster.brokers.join(','),
    TAPEWATCH_KAFKA_PREFIX: prefix,
    TAPEWATCH_KAFKA_SESSION: String(SESSION_MS),
  };
  const fleet = new Fleet({
    role: 'detect',
    args: scenario.ofTopics ? [] : ['--budget', BUDGET],
    env,
    size: 3,
    sessionMs: SESSION_MS,
    random: new Random(seed),
  });
  try {
    let sent = 0;
    const writtenShare = async (share: number): Promise<void> => {
      while (sent < share * tape.length) await processClock.sleep(50);
    };
    const told = (count: number): void => {
      sent = count;
    };
    // Whatever befalls, trades come after it.
    const last = Math.floor(tape.length * 0.95);
    const feeding = feed(log, tape.slice(0, last), rate, told);
    const befalling = befall(fleet, { env, written: writtenShare }).then(() => {
      t.diagnostic(`all had befallen after ${sent} of ${tape.length} trades`);
    });
    await Promise.all([feeding, befalling]);
    await feed(log, tape.slice(last), rate);
    await drained(async () => (await log.lag('detect', 'trades')).reduce((sum, { lag }) => sum + lag, 0), 180_000);
  } finally {
    await fleet.stop();
  }
  const wanted = scenario.ofTopics
    ? await expectedOfTopics(cluster.brokers, prefix, policyOf({}))
    : await expected(tape, policyOf({ budget: BUDGET }));
  const count = (kind: string): number =>
    [...wanted].filter(([name]) => name.startsWith(kind)).reduce((sum, [, lines]) => sum + lines.length, 0);
  const sizes = `${tape.length} trades, ${count('anomalies')} anomaly records, ${count('bars')} bars`;
  t.diagnostic(`${sizes}; ${JSON.stringify(fleet.befallen)}`);
  for (const words of fleet.words) t.diagnostic(words);
  const difference = differenceOf(await written(log), wanted);
  await log.close();
  assert.ok(count('anomalies') > 10, 'the tape has too few anomalies to prove anything');
  assert.deepEqual(difference, SAME);
  assert.equal(fleet.befallen.ownEnds, 0, 'no process ends by itself');
  scenario.inTheEnd?.(fleet, wanted);
  if (!reference) return;
  const { lines, aborted } = writtenByReference(cluster.brokers, prefix);
  t.diagnostic(`the reference client agrees, and passes over ${aborted} aborted records`);
  assert.deepEqual(differenceOf(lines, wanted), SAME);
}
