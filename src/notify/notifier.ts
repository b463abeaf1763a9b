/**
 * The port to the services that tell people: one message in, and what became of it. Adapters: webhook, Slack, Discord,
 * Telegram. All pass `test/contract/notifier.ts`.
 */
import type { Anomaly } from '../market/records.ts';

/** What is told of an incident: that it opens, that it grew worse, that it is over. */
export interface Notice {
  /** The same for the same record, however often it is sent: what a receiver knows repetitions by. */
  readonly key: string;
  readonly anomaly: Anomaly;
  /** It happened over a minute before it is sent. */
  readonly isLate: boolean;
  /** Address of the anomaly's page; null where no public address is set. */
  readonly link: string | null;
  /** A small PNG of the minutes before; null where there is none. Services that take no pictures leave it out. */
  readonly picture: Uint8Array | null;
  /** When it is sent, ms since the epoch. */
  readonly sentAt: number;
}

export type Delivery =
  | { readonly outcome: 'delivered' }
  /** The same again later; `afterMs` where the service says when. */
  | { readonly outcome: 'later'; readonly reason: string; readonly afterMs: number | null }
  /** The same again would be refused again. */
  | { readonly outcome: 'refused'; readonly reason: string };

export interface Notifier {
  /** Least time between two messages that the service's limits allow, ms. */
  readonly pauseMs: number;
  /** Never throws for what the service or the network does; rejects with `aborted` when the signal fires. */
  send(notice: Notice, signal: AbortSignal): Promise<Delivery>;
}
