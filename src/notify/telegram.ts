/** Telegram's Bot API: HTML, a message a second in a chat, twenty a minute in a group; a 429 says how long to wait. */
import { pngFile, post } from './http.ts';
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
/** Of the words themselves, so that with markup a caption stays within its 1024 characters. */
const TEXT_SHOWN_MAX = 500;

export function telegram({ token, chat, server = SERVER }: TelegramOptions): Notifier {
  // Groups and channels have negative numbers or names; private chats positive numbers.
  const isPrivate = /^\d+$/.test(chat);
  const bot = `${server.replace(/\/$/, '')}/bot${token}`;
  return {
    pauseMs: isPrivate ? CHAT_PAUSE_MS : GROUP_PAUSE_MS,
    send: (notice, signal) =>
      post(
        notice.picture
          ? { url: `${bot}/sendPhoto`, body: photoOf(notice, notice.picture, chat) }
          : { url: `${bot}/sendMessage`, body: JSON.stringify(messageBody(notice, chat)) },
        signal,
        retryAfter,
      ),
  };
}

function messageBody(notice: Notice, chat: string): unknown {
  return {
    chat_id: chat,
    text: htmlOf(notice),
    parse_mode: 'HTML',
    link_preview_options: { is_disabled: true },
    disable_notification: isSoft(notice),
  };
}

function photoOf(notice: Notice, picture: Uint8Array, chat: string): FormData {
  const form = new FormData();
  form.set('chat_id', chat);
  form.set('caption', htmlOf(notice));
  form.set('parse_mode', 'HTML');
  form.set('disable_notification', String(isSoft(notice)));
  form.set('photo', pngFile(picture), 'chart.png');
  return form;
}

function htmlOf(notice: Notice): string {
  const { title, text, footer } = messageOf(notice);
  const head = notice.link ? `<a href="${escaped(notice.link)}">${escaped(title)}</a>` : escaped(title);
  return `<b>${head}</b>\n${escaped(text.slice(0, TEXT_SHOWN_MAX))}\n<i>${escaped(footer)}</i>`;
}

/** What need not ring at night: a notice, an end. */
function isSoft({ anomaly: { phase, severity } }: Notice): boolean {
  return phase === 'close' || severity === 'notice';
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
