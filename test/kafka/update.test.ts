/**
 * An update: each detect process is ended and started anew, one after the other, while trades flow. No trade is lost and none
 * scored twice.
 */
import { after, before, test } from 'node:test';
import { processClock } from '../../src/transport/network.ts';
import { type Cluster, noBroker, someBroker } from './broker.ts';
import { FULL, runScenario, SEED } from './scenario.ts';

const skip = noBroker() ?? false;
const SIZE = FULL
  ? { symbols: 200, trades: 300_000, partitions: 12, rate: 3000 }
  : { symbols: 40, trades: 60_000, partitions: 6, rate: 2500 };
const ROUNDS = FULL ? 4 : 1;

let cluster: Cluster;
before(async () => {
  if (!skip) cluster = await someBroker();
});
after(() => cluster?.stop());

test(`a rolling update loses nothing and doubles nothing (seed ${SEED})`, { skip, timeout: 900_000 }, (t) =>
  runScenario(t, {
    ...SIZE,
    cluster,
    seed: SEED,
    reference: false,
    befall: async (fleet) => {
      for (let round = 0; round < ROUNDS; round++) {
        await processClock.sleep(5000);
        await fleet.update();
      }
    },
  }),
);
