/** A notice in words, once for all services; each puts them in its own markup. Pure. */
import { detailOf, duration, KIND_WORDS } from '../market/words.ts';
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
  const { symbol, kind, phase, severity, direction, timestamp, summary, return_period_s } = anomaly;
  const { name, sentence } = KIND_WORDS[kind];
  const told = { open: severity, escalate: `grew to ${severity}`, update: severity, close: 'over' }[phase];
  const mark = phase === 'close' ? '⚪' : MARKS[severity];
  const arrow = ARROWS[direction];
  const clock = `${new Date(timestamp).toISOString().replace('T', ' ').slice(0, 19)} UTC`;
  return {
    title: `${mark} ${symbol} ${name}${arrow ? ` ${arrow}` : ''} — ${told}`,
    text:
      phase === 'close' ? summary : `${sentence}\n${detailOf(summary)}; seen here once in ${duration(return_period_s)}`,
    footer: isLate ? `${clock} — late by ${duration((sentAt - timestamp) / 1000)}` : clock,
  };
}
