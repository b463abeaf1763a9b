/** The log of the simulation keeps the contract too, or the simulation would prove something about another system. */
import { VirtualNetwork } from '../../src/transport/virtual.ts';
import { eventLogContract } from '../contract/event-log.ts';
import { MemoryLog } from '../faults/simulation/memory-log.ts';

eventLogContract('memory log', () => {
  const network = new VirtualNetwork({ seed: 1, startMs: Date.UTC(2026, 0, 5) });
  const log = new MemoryLog({ slowShare: 0 });
  let over = false;
  const passing = (): void => {
    network.queue.next();
    if (!over) setImmediate(passing);
  };
  passing();
  return Promise.resolve({
    log: log.client(network.process()),
    reopen: () => Promise.resolve(log.client(network.process())),
    dispose: () => {
      over = true;
      return Promise.resolve();
    },
  });
});
