/** Telegram's Bot API: HTML, a message a second in a chat, twenty a minute in a group; a 429 says how long to wait. */
import { post } from './http.ts';
import { messageOf } from './message.ts';
import type { Notice, Notifier } from './notifier.ts';

export interface TelegramOptions {
  readonly token: string;
  /** Number or @name of the chat. */
  readonly chat: string;
  /** Another Bot API server than Telegram's own. */
  readonly server?: string;
}

const SERVER = 'https://api.telegram.org';
const CHAT_PAUSE_MS = 1100;
const GROUP_PAUSE_MS = 3100;
const TEXT_CHARS_MAX = 4096;

export function telegram({ token, chat, server = SERVER }: TelegramOptions): Notifier {
  // Groups and channels have negative numbers or names; private chats positive numbers.
  const isPrivate = /^\d+$/.test(chat);
  const url = `${server.replace(/\/$/, '')}/bot${token}/sendMessage`;
  return {
    pauseMs: isPrivate ? CHAT_PAUSE_MS : GROUP_PAUSE_MS,
    send: (notice, signal) => post({ url, body: JSON.stringify(payloadOf(notice, chat)) }, signal, retryAfter),
  };
}

function payloadOf(notice: Notice, chat: string): unknown {
  const { title, text, footer } = messageOf(notice);
  const head = notice.link ? `<a href="${escaped(notice.link)}">${escaped(title)}</a>` : escaped(title);
  const { phase, severity } = notice.anomaly;
  return {
    chat_id: chat,
    text: `<b>${head}</b>\n${escaped(text)}\n<i>${escaped(footer)}</i>`.slice(0, TEXT_CHARS_MAX),
    parse_mode: 'HTML',
    link_preview_options: { is_disabled: true },
    disable_notification: phase === 'close' || severity === 'notice',
  };
}

function retryAfter(answer: string): number | null {
  try {
    const seconds = (JSON.parse(answer) as { parameters?: { retry_after?: unknown } }).parameters?.retry_after;
    return typeof seconds === 'number' && seconds >= 0 ? seconds * 1000 : null;
  } catch {
    return null;
  }
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}
