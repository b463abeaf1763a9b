/** The Kafka log keeps what every event log keeps, on the real broker. */
import { after, before, test } from 'node:test';
import { openKafkaLog } from '../../src/event-log/kafka/kafka-log.ts';
import { eventLogContract } from '../contract/event-log.ts';
import { type Cluster, noBroker, someBroker } from './broker.ts';

const skip = noBroker();
let cluster: Cluster;

if (skip) test('Kafka log', { skip }, () => undefined);
else {
  before(async () => {
    cluster = await someBroker();
  });
  after(() => cluster.stop());

  let opened = 0;
  eventLogContract('Kafka log', async () => {
    const prefix = `contract-${process.pid}-${opened++}.`;
    const open = () => openKafkaLog({ brokers: cluster.brokers, clientId: 'contract', prefix });
    let log = await open();
    return {
      log,
      async reopen() {
        await log.close();
        log = await open();
        return log;
      },
      dispose: () => log.close(),
    };
  });
}
