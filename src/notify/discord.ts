/** Discord's webhooks: one embed a message, at most 30 a minute in a channel; a 429 says in its body how long to wait. */
import { pngFile, post } from './http.ts';
import { messageOf } from './message.ts';
import type { Notice, Notifier } from './notifier.ts';

const PAUSE_MS = 2100;
const TITLE_CHARS_MAX = 256;
const TEXT_CHARS_MAX = 4096;
const COLOURS = { notice: 0xd9b95b, warning: 0xff9a4d, critical: 0xff5d73 } as const;
const FILE = 'chart.png';
const OVER = 0x8a95a5;

export function discord({ url }: { readonly url: string }): Notifier {
  const address = new URL(url);
  // With it Discord answers only once the message stands.
  address.searchParams.set('wait', 'true');
  return {
    pauseMs: PAUSE_MS,
    send: (notice, signal) =>
      post({ url: address.href, body: bodyOf(notice) }, signal, (answer) => {
        const seconds = numberIn(answer, 'retry_after');
        return seconds === null ? null : Math.ceil(seconds * 1000);
      }),
  };
}

function bodyOf(notice: Notice): string | FormData {
  const payload = JSON.stringify(payloadOf(notice));
  if (!notice.picture) return payload;
  const form = new FormData();
  form.set('payload_json', payload);
  form.set('files[0]', pngFile(notice.picture), FILE);
  return form;
}

function payloadOf(notice: Notice): unknown {
  const { title, text, footer } = messageOf(notice);
  const { phase, severity, timestamp } = notice.anomaly;
  const embed = {
    title: title.slice(0, TITLE_CHARS_MAX),
    description: text.slice(0, TEXT_CHARS_MAX),
    color: phase === 'close' ? OVER : COLOURS[severity],
    timestamp: new Date(timestamp).toISOString(),
    footer: { text: footer },
    ...(notice.link ? { url: notice.link } : {}),
    ...(notice.picture ? { image: { url: `attachment://${FILE}` } } : {}),
  };
  // Nothing in a message may call people by name.
  return { embeds: [embed], allowed_mentions: { parse: [] } };
}

/** A number in a JSON answer; null where the answer is something else. */
export function numberIn(answer: string, field: string): number | null {
  try {
    const value = (JSON.parse(answer) as Record<string, unknown>)[field];
    return typeof value === 'number' && value >= 0 ? value : null;
  } catch {
    return null;
  }
}
