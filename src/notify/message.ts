/** A notice in words, once for all services; each puts them in its own markup. Pure. */
import { KIND_WORDS } from '../market/kind-words.ts';
import type { Notice } from './notifier.ts';

export interface Message {
  /** One line: what, where, how bad. */
  readonly title: string;
  /** What is seen, in numbers. */
  readonly text: string;
  /** When, and what else has to be said. */
  readonly footer: string;
}

const MARKS = { notice: '🟡', warning: '🟠', critical: '🔴' } as const;
const ARROWS = { up: '▲', down: '▼', none: '' } as const;

export function messageOf({ anomaly, isLate, sentAt }: Notice): Message {
  const { symbol, kind, phase, severity, direction, timestamp, summary } = anomaly;
  const { name, sentence } = KIND_WORDS[kind];
  const told = { open: severity, escalate: `grew to ${severity}`, update: severity, close: 'over' }[phase];
  const mark = phase === 'close' ? '⚪' : MARKS[severity];
  const arrow = ARROWS[direction];
  const clock = `${new Date(timestamp).toISOString().replace('T', ' ').slice(0, 19)} UTC`;
  return {
    title: `${mark} ${symbol} ${name}${arrow ? ` ${arrow}` : ''} — ${told}`,
    text: phase === 'close' ? summary : `${sentence}\n${summary}`,
    footer: isLate ? `${clock} — late by ${late((sentAt - timestamp) / 1000)}` : clock,
  };
}

function late(seconds: number): string {
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return seconds < 129_600 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86_400)} days`;
}
