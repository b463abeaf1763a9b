/**
 * Three brokers (replication 3, two in sync), killed and restarted one at a time, then the network to one cut, while a tape
 * flows: the same bytes. Where brokers can't have a network of their own, the one is stopped instead: no connection ends
 * either. TAPEWATCH_CHAOS=full is the full size.
 */
import { after, before, test } from 'node:test';
import { processClock } from '../../src/transport/network.ts';
import { type Cluster, noCluster, ready, startCluster } from './broker.ts';
import type { Fleet } from './fleet.ts';
import { Network, noNetwork } from './network.ts';
import { FULL, runScenario, SEED } from './scenario.ts';

const skip = noCluster() ?? false;
const SIZE = FULL
  ? { symbols: 200, trades: 1_000_000, partitions: 12, rate: 4000 }
  : { symbols: 40, trades: 100_000, partitions: 6, rate: 2500 };
const ROUNDS = FULL ? 6 : 1;
/** Beyond the brokers' session; at the full size now and then beyond the time that clients wait for an answer, too. */
const CUT_MS = 8000;
const LONG_CUT_MS = 40_000;

let network: Network | null = null;
let cluster: Cluster;
before(async () => {
  if (skip) return;
  if (noNetwork() === null) network = new Network(3);
  cluster = await startCluster({ nodes: 3, heap: '300m', ...(network ? { network } : {}) });
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
    const off = cluster.nodes.at((round % 3) - 1)!;
    await processClock.sleep(2000);
    if (network) network.cut(off.id);
    else off.freeze();
    await processClock.sleep(round % 3 === 1 ? LONG_CUT_MS : CUT_MS);
    if (network) network.mend(off.id);
    else off.thaw();
    await ready(cluster.brokers, 3);
    if (FULL) await fleet.befall(2, 2000, ['kill', 'stop']);
  }
}

test(`brokers killed and cut off one at a time lose nothing and double nothing (seed ${SEED})`, {
  skip,
  timeout: 1_800_000,
}, (t) => {
  t.diagnostic(network ? 'the network to one is cut' : `one is stopped and its network is not cut: ${noNetwork()}`);
  return runScenario(t, { ...SIZE, cluster, seed: SEED, reference: FULL, befall });
});
