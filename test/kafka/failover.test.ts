/**
 * Three brokers (replication 3, two in sync), killed and restarted one at a time, then one cut off (stopped without its
 * connections ending, as when the network to it is gone), while a tape flows: the same bytes. TAPEWATCH_CHAOS=full is the
 * full size.
 */
import { after, before, test } from 'node:test';
import { processClock } from '../../src/transport/network.ts';
import { type Cluster, noCluster, ready, startCluster } from './broker.ts';
import type { Fleet } from './fleet.ts';
import { FULL, runScenario, SEED } from './scenario.ts';

const skip = noCluster() ?? false;
const SIZE = FULL
  ? { symbols: 200, trades: 1_000_000, partitions: 12, rate: 4000 }
  : { symbols: 40, trades: 100_000, partitions: 6, rate: 2500 };
const ROUNDS = FULL ? 6 : 1;
const CUT_MS = 8000;

let cluster: Cluster;
before(async () => {
  if (!skip) cluster = await startCluster({ nodes: 3, heap: '300m' });
});
after(() => cluster?.stop());

async function befall(fleet: Fleet): Promise<void> {
  for (let round = 0; round < ROUNDS; round++) {
    for (const node of FULL ? cluster.nodes : cluster.nodes.slice(0, 2)) {
      await processClock.sleep(4000);
      await node.kill();
      await processClock.sleep(3000);
      node.start();
      await ready(cluster.brokers, 3);
    }
    const cut = cluster.nodes.at(-1)!;
    await processClock.sleep(2000);
    cut.freeze();
    await processClock.sleep(CUT_MS);
    cut.thaw();
    await ready(cluster.brokers, 3);
    if (FULL) await fleet.befall(2, 2000, ['kill', 'stop']);
  }
}

test(
  `brokers killed and cut off one at a time lose nothing and double nothing (seed ${SEED})`,
  { skip, timeout: 1_800_000 },
  (t) => runScenario(t, { ...SIZE, cluster, seed: SEED, reference: FULL, befall }),
);
