/** `tapewatch capture`: the exchange's trades to the log. Any number of them share the symbols, each trade once. */

import type { Capture } from '../capture/capture.ts';
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
  let capture: Capture | null = null;
  const notReady = (): string | null => (capture?.isReady ? null : 'No symbols are assigned to this process.');
  const health = await serveHealth(values, metrics, notReady);
  const transport = createNetworkTransport();
  const failed = Promise.withResolvers<never>();
  const running = await startCapture({
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
  capture = running;
  say(`Capturing; health and metrics on ${health.address}. Ctrl-C stops.`);
  await untilStopped([failed.promise], async () => {
    await running.stop();
    await health.close();
    await transport.close();
    await log.close();
  });
}
