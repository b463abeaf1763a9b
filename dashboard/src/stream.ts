/**
 * The live stream, read by fetch and not by EventSource: it resumes anomalies after the last one seen also when the
 * symbol whose trades are wanted changes, notices a silent line, and can say since when the server is gone.
 */
import { signal } from '@preact/signals';
import type { Anomaly, Bar, Status, Trade } from '../../src/market/records.ts';
import type { Annotation } from '../../src/views/annotations.ts';
import { urlOf } from './server.ts';

export interface Link {
  readonly state: 'connecting' | 'open' | 'gone';
  /** When it came to this state, ms by the browser's clock. */
  readonly since: number;
}

export const link = signal<Link>({ state: 'connecting', since: Date.now() });

export interface StreamEvents {
  readonly anomaly: (anomaly: Anomaly) => void;
  readonly bar: (bar: Bar) => void;
  readonly status: (status: Status) => void;
  readonly annotation: (annotation: Annotation) => void;
  readonly trades: (trades: readonly Trade[]) => void;
  /** The stream stands again after the server was gone: what was missed has to be asked for. */
  readonly back: (goneMs: number) => void;
}

const FIRST_WAIT_MS = 500;
const WAIT_MS_MAX = 5000;
/** The server speaks at least every 15 s. */
const SILENT_MS_MAX = 40_000;

let lastId = '';
let wanted: string | null = null;
let restart: AbortController | null = null;

/** Whose trades are wanted: the stream opens anew where that changes. */
export function followTrades(symbol: string | null): void {
  if (symbol === wanted) return;
  wanted = symbol;
  restart?.abort();
}

/** Runs for as long as the page is open. */
export async function run(events: StreamEvents): Promise<never> {
  for (let failures = 0; ; ) {
    restart = new AbortController();
    try {
      await once(events, restart);
    } catch {
      // Whatever ended it, the answer is the same: open it again.
    }
    if (restart.signal.aborted && restart.signal.reason !== 'silent') continue;
    failures = link.value.state === 'open' ? 0 : failures + 1;
    if (link.value.state !== 'gone') link.value = { state: 'gone', since: Date.now() };
    const wait = Math.min(WAIT_MS_MAX, FIRST_WAIT_MS * 2 ** failures);
    await new Promise((resolve) => setTimeout(resolve, wait * (0.75 + Math.random() / 2)));
  }
}

async function once(events: StreamEvents, abort: AbortController): Promise<void> {
  const query = wanted === null ? '' : `?symbol=${wanted}`;
  const headers: Record<string, string> = lastId === '' ? {} : { 'last-event-id': lastId };
  const answer = await fetch(urlOf(`v1/stream${query}`), { headers, signal: abort.signal });
  if (!answer.ok || !answer.body) throw new Error(String(answer.status));
  const { state, since } = link.value;
  if (state !== 'open') link.value = { state: 'open', since: Date.now() };
  if (state === 'gone') events.back(Date.now() - since);
  let silence = setTimeout(() => abort.abort('silent'), SILENT_MS_MAX);
  let rest = '';
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  try {
    for (let read = await reader.read(); !read.done; read = await reader.read()) {
      clearTimeout(silence);
      silence = setTimeout(() => abort.abort('silent'), SILENT_MS_MAX);
      const parts = (rest + read.value).split('\n\n');
      rest = parts.pop() ?? '';
      for (const part of parts) take(part, events);
    }
  } finally {
    clearTimeout(silence);
  }
}

function take(text: string, events: StreamEvents): void {
  let name = '';
  let data = '';
  for (const line of text.split('\n')) {
    if (line.startsWith('event: ')) name = line.slice(7);
    else if (line.startsWith('data: ')) data = line.slice(6);
    else if (line.startsWith('id: ')) lastId = line.slice(4);
  }
  if (data === '') return;
  const value = JSON.parse(data) as unknown;
  if (name === 'bar') events.bar(value as Bar);
  else if (name === 'anomaly') events.anomaly(value as Anomaly);
  else if (name === 'status') events.status(value as Status);
  else if (name === 'annotation') events.annotation(value as Annotation);
  else if (name === 'trade') events.trades((Array.isArray(value) ? value : [value]) as Trade[]);
}
