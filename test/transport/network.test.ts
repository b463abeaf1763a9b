import { createNetworkTransport, networkHost } from '../../src/transport/network.ts';
import { transportContract } from '../contract/transport.ts';

transportContract('network transport', () => {
  const transport = createNetworkTransport();
  return Promise.resolve({
    transport,
    host: networkHost,
    drive: (work) => work,
    dispose: () => transport.close(),
  });
});
