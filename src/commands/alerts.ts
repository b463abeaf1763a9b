/** `tapewatch alerts`: the anomalies of a running server, and with --follow those that come; or those of a log. */
import { openEmbeddedLog } from '../event-log/embedded/embedded-log.ts';
import { topicNames } from '../event-log/topics.ts';
import { TapewatchError } from '../market/error.ts';
import type { Anomaly } from '../market/records.ts';
import { alertLine } from '../terminal/live-view.ts';
import { COLOURS, PLAIN } from '../terminal/paint.ts';
import { hasColour, print } from './output.ts';

export interface AlertsCommand {
  readonly server: string;
  /** Folder of a log, instead of a server. */
  readonly data?: string;
  readonly follow?: boolean;
  readonly json?: boolean;
  readonly limit: string;
}

export async function runAlerts(options: AlertsCommand): Promise<void> {
  const { server } = options;
  const show = (anomaly: Anomaly): Promise<void> => {
    if (options.json) return print(`${JSON.stringify(anomaly)}\n`);
    const paint = hasColour(process.stdout) ? COLOURS : PLAIN;
    return print(`${alertLine(anomaly, paint, process.stdout.columns ?? Number.POSITIVE_INFINITY)}\n`);
  };
  if (options.data !== undefined) {
    if (options.follow)
      throw new TapewatchError(
        'usage',
        '--follow needs a running server: what writes to a log has its folder to itself.',
      );
    for (const anomaly of await lastOf(options.data, Number(options.limit))) await show(anomaly);
    return;
  }
  const answer = await ask(`${server}/v1/anomalies?limit=${options.limit}`);
  const { items } = (await answer.json()) as { items: Anomaly[] };
  for (const anomaly of items.reverse()) await show(anomaly);
  if (!options.follow) return;
  const stream = await ask(`${server}/v1/stream`);
  let rest = '';
  for await (const chunk of stream.body!.pipeThrough(new TextDecoderStream())) {
    const events = (rest + chunk).split('\n\n');
    rest = events.pop()!;
    for (const event of events) {
      const data = /^event: anomaly\ndata: (.*)$/m.exec(event)?.[1];
      if (data) await show(JSON.parse(data) as Anomaly);
    }
  }
}

async function ask(url: string): Promise<Response> {
  const answer = await fetch(url).catch((cause: unknown) => {
    throw new TapewatchError(
      'not_found',
      `No Tapewatch answers at ${new URL(url).origin}: start one, or name it with --server.`,
      { cause },
    );
  });
  if (!answer.ok) throw new TapewatchError('usage', `${url} answered ${answer.status}: ${await answer.text()}`);
  return answer;
}

/** The last records of a log's anomalies, oldest first. @throws TapewatchError `log_busy` while a process has the folder. */
async function lastOf(dir: string, limit: number): Promise<Anomaly[]> {
  const log = await openEmbeddedLog({ dir, now: Date.now });
  try {
    const { anomalies } = topicNames('');
    const { first, end } = await log.bounds(anomalies, 0);
    const found: Anomaly[] = [];
    for (let from = Math.max(first, end - limit); from < end; ) {
      const { records, next } = await log.read(anomalies, 0, from);
      if (next <= from) break;
      for (const { value } of records) if (value) found.push(JSON.parse(new TextDecoder().decode(value)) as Anomaly);
      from = next;
    }
    return found;
  } finally {
    await log.close();
  }
}
