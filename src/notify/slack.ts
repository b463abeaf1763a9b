/** Slack's incoming webhooks: blocks of mrkdwn, at most a message a second. */
import { post } from './http.ts';
import { messageOf } from './message.ts';
import type { Notice, Notifier } from './notifier.ts';

const PAUSE_MS = 1100;
const TEXT_CHARS_MAX = 3000;

export function slack({ url }: { readonly url: string }): Notifier {
  return {
    pauseMs: PAUSE_MS,
    send: (notice, signal) => post({ url, body: JSON.stringify(payloadOf(notice)) }, signal),
  };
}

function payloadOf(notice: Notice): unknown {
  const { title, text, footer } = messageOf(notice);
  const head = notice.link ? `<${notice.link}|${escaped(title)}>` : escaped(title);
  return {
    // What notifications on a phone show, and screen readers read.
    text: escaped(title),
    blocks: [
      {
        type: 'section',
        text: { type: 'mrkdwn', text: `*${head}*\n${escaped(text)}`.slice(0, TEXT_CHARS_MAX) },
      },
      { type: 'context', elements: [{ type: 'mrkdwn', text: escaped(footer) }] },
    ],
    unfurl_links: false,
  };
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
