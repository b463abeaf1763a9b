/** One POST to a service, and what its answer means for the next try. */
import { TapewatchError } from '../market/error.ts';
import type { Delivery } from './notifier.ts';

export interface Post {
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** JSON, or a form with files. */
  readonly body: string | FormData;
}

const TIMEOUT_MS = 10_000;
const ANSWER_CHARS_MAX = 200;
/** Answers after which the same may succeed: time-out, too early, too many, and the server's own troubles. */
const RETRYABLE = new Set([408, 425, 429]);

/**
 * `retryAfter` reads the wait in ms from the answer, where a service says it elsewhere than in Retry-After (s).
 * Addresses hold secrets (Slack, Discord, Telegram), so no reason ever names one.
 */
export async function post(
  { url, headers, body }: Post,
  signal: AbortSignal,
  retryAfter?: (answer: string) => number | null,
): Promise<Delivery> {
  let status: number;
  let text: string;
  let after: string | null;
  try {
    const answer = await fetch(url, {
      method: 'POST',
      headers: {
        'user-agent': 'tapewatch',
        ...(typeof body === 'string' ? { 'content-type': 'application/json' } : {}),
        ...headers,
      },
      body,
      // A webhook that moved has to be set anew: following it would send secrets elsewhere.
      redirect: 'manual',
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
    });
    ({ status } = answer);
    after = answer.headers.get('retry-after');
    text = await answer.text();
  } catch (cause) {
    if (signal.aborted) throw new TapewatchError('aborted', 'Sending was stopped.', { cause });
    return { outcome: 'later', reason: networkReason(cause), afterMs: null };
  }
  if (status >= 200 && status < 300) return { outcome: 'delivered' };
  const reason = `it answered ${status}${text ? `: ${text.slice(0, ANSWER_CHARS_MAX)}` : ''}`;
  if (!RETRYABLE.has(status) && status < 500) return { outcome: 'refused', reason };
  const seconds = after === null || after.trim() === '' ? Number.NaN : Number(after);
  const afterMs = (status === 429 && retryAfter?.(text)) || (seconds >= 0 ? seconds * 1000 : null);
  return { outcome: 'later', reason, afterMs };
}

/** A picture as a form's file. */
export function pngFile(picture: Uint8Array): Blob {
  return new Blob([new Uint8Array(picture)], { type: 'image/png' });
}

function networkReason(error: unknown): string {
  if (error instanceof Error && error.name === 'TimeoutError') return `it did not answer within ${TIMEOUT_MS / 1000} s`;
  const { cause } = error as { cause?: { code?: string; message?: string } };
  return `it can't be reached (${cause?.code ?? cause?.message ?? String(error)})`;
}
