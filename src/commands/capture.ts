/** `tapewatch capture`: the exchange's trades to the log. Any number of them share the symbols, each trade once. */

import { topicNames } from '../event-log/topics.ts';
import { REST_ENDPOINTS, WS_ENDPOINTS } from '../exchange/binance/endpoints.ts';
import { Metrics } from '../observe/metrics.ts';
import { readSettings } from '../settings.ts';
import { createNetworkTransport } from '../transport/network.ts';
import { serveHealth } from './health.ts';
import { openKafka } from './kafka.ts';
import { capture as startCapture } from './live-capture.ts';
import { type OptionsByName, optionsByKey } from './options.ts';
import { say } from './output.ts';
import { haveTopics, untilStopped } from './role.ts';

export async function runCapture(options: OptionsByName): Promise<void> {
  const values = readSettings(optionsByKey(options));
  const list = (key: string): readonly string[] => values[key] as readonly string[];
  const log = await openKafka(values, 'capture');
  const metrics = new Metrics();
  await haveTopics(log, values);
  let started = false;
  const health = await serveHealth(values, metrics, () => (started ? null : 'Symbols are being assigned.'));
  const transport = createNetworkTransport();
  const failed = Promise.withResolvers<never>();
  const capture = await startCapture({
    values,
    log,
    topics: topicNames(''),
    transport,
    metrics,
    screen: { note: say },
    symbols: list('symbols').map((symbol) => symbol.toUpperCase()),
    wsEndpoints: list('ws-url').length > 0 ? list('ws-url') : WS_ENDPOINTS,
    restEndpoints: list('rest-url').length > 0 ? list('rest-url') : REST_ENDPOINTS,
    hint: 'the log keeps what came before.',
    fail: failed.reject,
  });
  started = true;
  say(`Capturing; health and metrics on ${health.address}. Ctrl-C stops.`);
  await untilStopped([failed.promise], async () => {
    await capture.stop();
    await health.close();
    await transport.close();
    await log.close();
  });
}
