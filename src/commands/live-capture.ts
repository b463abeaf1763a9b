/** Capture with the metrics and words of `start` and `demo`. */
import { type Capture, startCapture } from '../capture/capture.ts';
import type { EventLog } from '../event-log/event-log.ts';
import type { TopicNames } from '../event-log/topics.ts';
import { TapewatchError } from '../market/error.ts';
import type { Metrics } from '../observe/metrics.ts';
import type { Values } from '../settings.ts';
import type { Transport } from '../transport/transport.ts';

export interface LiveCaptureOptions {
  readonly values: Values;
  readonly log: EventLog;
  readonly topics: TopicNames;
  readonly transport: Transport;
  readonly metrics: Metrics;
  /** Takes sentences for the user. */
  readonly screen: { note(sentence: string): void };
  readonly symbols: readonly string[];
  readonly wsEndpoints: readonly string[];
  readonly restEndpoints: readonly string[];
  readonly hint: string;
  /** Ends the command: the log can't go on. */
  readonly fail: (error: unknown) => void;
}

export async function capture(options: LiveCaptureOptions): Promise<Capture> {
  const { values, metrics, screen, topics } = options;
  const down = new Set<number>();
  const running = await startCapture({
    transport: options.transport,
    log: options.log,
    symbols: options.symbols,
    wsEndpoints: options.wsEndpoints,
    restEndpoints: options.restEndpoints,
    tradesTopic: topics.trades,
    deadLetters: topics.deadLetters,
    history_s: values['history'] as number,
    repairLimit: values['repair-limit'] as number,
    ...(values['instance'] ? { instance: values['instance'] as string } : {}),
    events: {
      connected: (connection) => {
        metrics.feedConnected.set({ connection: String(connection) }, 1);
        if (down.delete(connection) && down.size === 0)
          screen.note('The exchange is back; what was missed is being fetched.');
      },
      lost: (connection, reason) => {
        metrics.feedConnected.set({ connection: String(connection) }, 0);
        const why = reason.replace(/^Can't reach /, '').replace(/\.$/, '');
        if (down.size === 0) screen.note(`The exchange can't be reached (${why}). Trying on; ${options.hint}`);
        down.add(connection);
      },
      ended: (connection) => {
        metrics.feedConnected.remove({ connection: String(connection) });
        down.delete(connection);
      },
      late: () => metrics.lateTrades.inc(),
      unlisted: (symbols) => {
        const told = `The exchange does not list ${symbols.join(', ')}: check --symbols.`;
        if (symbols.length === options.symbols.length) options.fail(new TapewatchError('settings', told));
        else screen.note(told);
      },
      trades: (count) => {
        metrics.trades.inc({ exchange: 'binance' }, count);
        metrics.lastTrade.set(Date.now() / 1000);
      },
      gap: (symbol, trades, outcome) => {
        metrics.gapTrades.inc({ outcome }, trades);
        screen.note(
          `${symbol}: ${trades} missing trades ${outcome === 'repaired' ? 'fetched over REST' : 'lost, marked as a gap'}.`,
        );
      },
      logFailed: (error) => {
        if (error instanceof TapewatchError && error.code === 'log_full') options.fail(error);
        else screen.note(error instanceof Error ? error.message : String(error));
      },
      waiting: (ms, status) =>
        screen.note(`The exchange asks for patience (${status || 'request budget'}): ${Math.ceil(ms / 1000)} s.`),
    },
  });
  running.running.catch(options.fail);
  return running;
}
