/** `tapewatch alerts`: the anomalies of a running server, and with --follow those that come. */
import { TapewatchError } from '../market/error.ts';
import type { Anomaly } from '../market/records.ts';
import { alertLine } from '../terminal/live-view.ts';
import { COLOURS, PLAIN } from '../terminal/paint.ts';
import { hasColour, print } from './output.ts';

export interface AlertsCommand {
  readonly server: string;
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
