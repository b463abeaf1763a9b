/** `tapewatch alerts`: the anomalies of a running server, and with --follow those that come; or those of a log. */
import { setTimeout as sleep } from 'node:timers/promises';
import { openEmbeddedLog } from '../event-log/embedded/embedded-log.ts';
import { topicNames } from '../event-log/topics.ts';
import { TapewatchError } from '../market/error.ts';
import type { Anomaly } from '../market/records.ts';
import { alertLine } from '../terminal/live-view.ts';
import { COLOURS, PLAIN } from '../terminal/paint.ts';
import { hasColour, print, say } from './output.ts';

const FIRST_WAIT_MS = 500;
const WAIT_MS_MAX = 5000;
/** Ids of anomalies shown that are remembered, so that none is shown twice. */
const SHOWN_MAX = 5000;
/** Asked for after the server was gone. */
const MISSED_MAX = '1000';

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
  if (!options.follow) {
    for (const anomaly of await newest(server, options.limit)) await show(anomaly);
    return;
  }
  const shown = new Set<string>();
  const showOnce = async (anomaly: Anomaly): Promise<void> => {
    if (shown.has(anomaly.id)) return;
    for (const oldest of shown) {
      if (shown.size < SHOWN_MAX) break;
      shown.delete(oldest);
    }
    shown.add(anomaly.id);
    await show(anomaly);
  };
  await follow(server, options.limit, showOnce);
  for (let wait = FIRST_WAIT_MS; ; wait = Math.min(WAIT_MS_MAX, 2 * wait)) {
    if (wait === FIRST_WAIT_MS) say(`${server} is gone. Trying again by itself.`);
    await sleep(wait);
    try {
      await follow(server, MISSED_MAX, showOnce, () => {
        say(`${server} is back.`);
        wait = FIRST_WAIT_MS / 2;
      });
    } catch (error) {
      // Still gone, or gone again in the middle of an answer.
      if (!(error instanceof TapewatchError || error instanceof TypeError)) throw error;
    }
  }
}

/** The newest anomalies of a server, oldest first. */
async function newest(server: string, limit: string): Promise<Anomaly[]> {
  const answer = await ask(`${server}/v1/anomalies?limit=${limit}`);
  return ((await answer.json()) as { items: Anomaly[] }).items.reverse();
}

/**
 * The newest, then those that come, until the server ends the stream. The stream is opened first: what comes while the
 * newest are asked for may be shown twice, and none is missed. @throws TapewatchError `not_found` where nobody answers.
 */
async function follow(
  server: string,
  limit: string,
  show: (anomaly: Anomaly) => Promise<void>,
  opened: () => void = () => undefined,
): Promise<void> {
  const stream = await ask(`${server}/v1/stream`);
  opened();
  for (const anomaly of await newest(server, limit)) await show(anomaly);
  let rest = '';
  try {
    for await (const chunk of stream.body!.pipeThrough(new TextDecoderStream())) {
      const events = (rest + chunk).split('\n\n');
      rest = events.pop()!;
      for (const event of events) {
        const data = /^event: anomaly\ndata: (.*)$/m.exec(event)?.[1];
        if (data) await show(JSON.parse(data) as Anomaly);
      }
    }
  } catch (error) {
    // What fails to be shown is no fault of the line.
    if (!(error instanceof TypeError)) throw error;
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
