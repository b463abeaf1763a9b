/** `/readyz` of capture processes that share one partition: who waits for its turn is not ready, and is when it comes. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, test } from 'node:test';
import { openKafkaLog } from '../../src/event-log/kafka/kafka-log.ts';
import { topicSpecs } from '../../src/event-log/topics.ts';
import { startExchange } from '../../src/simulator/exchange-server.ts';
import { networkHost, processClock } from '../../src/transport/network.ts';
import { type Cluster, noBroker, someBroker } from './broker.ts';
import { type Role, startRole } from './role.ts';
import { START } from './tape.ts';

const skip = noBroker() ?? false;
let cluster: Cluster;
before(async () => {
  if (!skip) cluster = await someBroker();
});
after(() => cluster?.stop());

async function statusOf({ address }: Role): Promise<string> {
  const answer = await fetch(`${address}/readyz`);
  return `${answer.status} ${((await answer.json()) as { detail?: string }).detail ?? ''}`;
}

async function until(wanted: string, role: Role): Promise<void> {
  for (let waited = 0, said = ''; said !== wanted; waited += 50) {
    assert.ok(waited < 30_000, `${said} and not ${wanted} after 30 s`);
    await processClock.sleep(50);
    said = await statusOf(role);
  }
}

test('capture is ready when symbols are its own, though the exchange be away', { skip }, async () => {
  const prefix = `ready-${process.pid}.`;
  const log = await openKafkaLog({ brokers: cluster.brokers, clientId: 'ready', prefix });
  await log.ensureTopics(topicSpecs({ prefix: '', partitions: 1, retentionMs: null }));
  await log.close();
  const exchange = await startExchange({
    host: networkHost,
    port: 0,
    symbols: ['AUSDT'],
    startMs: START,
    speed: 1,
    faults: [],
    source: () => [],
  });
  const env = {
    TAPEWATCH_KAFKA: cluster.brokers.join(','),
    TAPEWATCH_KAFKA_PREFIX: prefix,
    TAPEWATCH_KAFKA_SESSION: '3000',
  };
  const start = (instance: string): Promise<Role> =>
    startRole(
      [
        'capture',
        '--symbols',
        'AUSDT',
        '--ws-url',
        exchange.wsUrl,
        '--rest-url',
        exchange.httpUrl,
        '--history',
        '0',
        '--instance',
        instance,
      ],
      env,
    );
  const roles: Role[] = [];
  try {
    const first = await start('slot-0');
    roles.push(first);
    await until('200 ', first);
    const standBy = await start('slot-1');
    roles.push(standBy);
    const waiting = '503 No symbols are assigned to this process.';
    // One of the two is in its turn, whoever the group gave it.
    await processClock.sleep(3000);
    const [one, other] = (await statusOf(first)) === '200 ' ? [first, standBy] : [standBy, first];
    assert.deepEqual([await statusOf(one), await statusOf(other)], ['200 ', waiting]);
    await exchange.stop();
    await processClock.sleep(1000);
    assert.equal(await statusOf(one), '200 ', 'an outage of the exchange does not make it unready');
    const gone = once(one.child, 'exit');
    one.child.kill('SIGKILL');
    await gone;
    await until('200 ', other);
  } finally {
    await Promise.all(roles.map((role) => role.stop()));
  }
});
