/**
 * Detect processes killed, stopped beyond their session and resumed, joined and left while a tape flows: a read_committed
 * reader then sees, symbol by symbol, the bytes of one uninterrupted backtest. TAPEWATCH_CHAOS=full is the full size
 * (`npm run test:kafka:chaos`); TAPEWATCH_SEED repeats a run.
 */
import { after, before, test } from 'node:test';
import { type Cluster, noBroker, noCluster, someBroker } from './broker.ts';
import { FULL, runScenario, SEED } from './scenario.ts';

const skip = noBroker() ?? false;
const SIZE = FULL
  ? { symbols: 200, trades: 1_000_000, partitions: 12, rate: 4000 }
  : { symbols: 40, trades: 100_000, partitions: 6, rate: 4000 };
const MISHAPS = FULL ? 47 : 7;
const PAUSE_MS = FULL ? 5000 : 2300;
/** Seven of eleven are kills: thirty of the full size's. */
const MIX = ['kill', 'stop', 'kill', 'join', 'kill', 'leave', 'kill', 'kill', 'stop', 'kill', 'kill'] as const;

let cluster: Cluster;
before(async () => {
  if (!skip) cluster = await someBroker();
});
after(() => cluster?.stop());

test(
  `${MISHAPS} mishaps of processes lose nothing and double nothing (seed ${SEED})`,
  { skip, timeout: 1_800_000 },
  (t) =>
    runScenario(t, {
      ...SIZE,
      cluster,
      seed: SEED,
      reference: FULL && noCluster() === null,
      befall: (fleet) => fleet.befall(MISHAPS, PAUSE_MS, MIX),
    }),
);
