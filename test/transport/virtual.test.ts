import assert from 'node:assert/strict';
import { test } from 'node:test';
import { VirtualNetwork } from '../../src/transport/virtual.ts';
import { transportContract } from '../contract/transport.ts';

const START_MS = Date.UTC(2026, 0, 5);

transportContract('virtual transport', () => {
  const network = new VirtualNetwork({ seed: 1, startMs: START_MS });
  return Promise.resolve({
    transport: network.process(),
    host: network.process(),
    drive: (work) => network.drive(work),
    dispose: () => Promise.resolve(),
  });
});

test('a killed process does nothing more, a paused one does it later; who is connected to the dead hears it', async () => {
  const network = new VirtualNetwork({ seed: 2, startMs: START_MS });
  const [server, victim, witness] = [network.process(), network.process(), network.process()];
  const done: string[] = [];
  let closes = 0;
  const { wsUrl } = await server.listen(0, {
    request: () => ({ status: 200, headers: {}, body: new Uint8Array(0) }),
    socket: () => ({ message: () => undefined, close: () => closes++ }),
  });
  await network.drive(
    victim.connect(`${wsUrl}/stream`, { message: () => undefined, close: () => done.push('closed') }),
  );
  victim.setTimer(1000, () => done.push('of the dead'));
  witness.setTimer(500, () => done.push(`at ${witness.now() - START_MS > 2000 ? 'last' : 'once'}`));
  witness.pause();
  victim.kill();
  server.setTimer(3000, () => witness.resume());
  await network.drive(server.sleep(5000));
  assert.deepEqual([done, closes], [['at last'], 1]);
});
