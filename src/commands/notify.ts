/** Notifications of `start`, `demo` and `serve`, and `tapewatch notify test`. */
import { readFileSync } from 'node:fs';
import type { EventLog } from '../event-log/event-log.ts';
import type { TopicNames } from '../event-log/topics.ts';
import { TapewatchError } from '../market/error.ts';
import type { Anomaly, Bar } from '../market/records.ts';
import { chartImage, PICTURE_MS } from '../notify/chart-image.ts';
import { type NotifyConfig, readConfig } from '../notify/config.ts';
import { NotifyService } from '../notify/notify-service.ts';
import { readSecret, readSettings } from '../settings.ts';
import { processClock } from '../transport/network.ts';
import type { Views } from '../views/views.ts';
import { print, say } from './output.ts';

export interface NotifyTestCommand {
  readonly notify?: string;
  readonly sink?: string;
}

/** Reads the file at once, so that what is wrong with it is said before anything starts; '' tells nobody. */
export function notifying(
  file: string,
): (log: EventLog, topics: TopicNames, views: Views, signal: AbortSignal) => Promise<void> {
  if (file === '') return () => Promise.resolve();
  const { sinks, page } = configOf(file);
  const events = {
    failing: (sink: string, reason: string): void => say(`Telling ${sink} fails: ${reason}. Trying on.`),
    recovered: (sink: string): void => say(`Telling ${sink} works again.`),
    refused: (sink: string, { id }: Anomaly, reason: string): void =>
      say(`${sink} does not take ${id}: ${reason}. It is in the dead letters; "tapewatch notify test" tries the sink.`),
  };
  return async (log, topics, views, signal) => {
    const picture = async (anomaly: Anomaly): Promise<Uint8Array | null> => {
      const { symbol, timestamp } = anomaly;
      return chartImage(await views.bars(symbol, timestamp - PICTURE_MS, timestamp + 1000), anomaly);
    };
    const told = { log, topics, page, picture, clock: processClock, events };
    const services = sinks.map((sink) => new NotifyService({ ...told, sink }));
    await Promise.all(services.map((service) => service.run(signal)));
  };
}

export async function runNotifyTest(options: NotifyTestCommand): Promise<void> {
  const file = readSettings({ notify: options.notify })['notify'] as string;
  if (file === '') throw new TapewatchError('usage', 'Name the file of sinks: --notify FILE, or TAPEWATCH_NOTIFY.');
  const { sinks, page } = configOf(file);
  const chosen = sinks.filter(({ name }) => options.sink === undefined || name === options.sink);
  if (chosen.length === 0)
    throw new TapewatchError(
      'usage',
      `${file} has no sink ${options.sink}: ${sinks.map(({ name }) => name).join(', ')}.`,
    );
  for (const { name, type, notifier } of chosen) {
    const sentAt = Date.now();
    const anomaly = specimen(sentAt);
    const picture = chartImage(specimenBars(sentAt), anomaly);
    const notice = { key: anomaly.id, anomaly, isLate: false, link: page, picture, sentAt };
    const delivery = await notifier.send(notice, new AbortController().signal);
    if (delivery.outcome === 'delivered') await print(`${name} (${type}): delivered\n`);
    else {
      process.exitCode = 1;
      await print(`${name} (${type}): FAILED, ${delivery.reason}\n`);
    }
  }
}

function configOf(file: string): NotifyConfig {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new TapewatchError('settings', `Can't read ${file}: ${(cause as Error).message}.`, { cause });
  }
  return readConfig(text, file, readSecret);
}

/** A wave: a chat that takes words may still take no pictures, and alerts come with one. */
function specimenBars(now: number): readonly Bar[] {
  return Array.from({ length: PICTURE_MS / 5000 }, (_, i) => {
    const close = 100 + Math.sin(i / 9);
    const bar = { open: close, high: close, low: close, close, volume: 1, quoteVolume: 100, trades: 1 };
    return { ...bar, symbol: 'TEST', timestamp: now - PICTURE_MS + i * 5000, takerBuyVolume: 1, score: 0, level: 0 };
  });
}

/** A message that nobody can take for an alert. */
function specimen(now: number): Anomaly {
  return {
    id: `TEST:market:${now}:0`,
    symbol: 'TEST',
    timestamp: now,
    kind: 'volume_burst',
    phase: 'open',
    severity: 'notice',
    score: 0.9999,
    return_period_s: 86_400,
    direction: 'none',
    zscore: 0,
    forest: 0.5,
    actual: { quote_volume_5s: 1 },
    expected: { quote_volume_5s: [0, 1] },
    contributions: [{ feature: 'quote_volume_5s', share: 1 }],
    summary: 'This is a test of Tapewatch, nothing happened. Messages of incidents look like this one',
    evidence: { firstTradeId: 0, lastTradeId: 0, model: 'sha256:test', settings: 'sha256:test', detector: 'test' },
  };
}
