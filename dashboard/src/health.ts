/** How the path from exchange to page is, asked for every few seconds. */
import { signal } from '@preact/signals';
import { get } from './server.ts';

export interface Health {
  readonly version: string;
  readonly notReady: string | null;
  readonly feed: {
    readonly connections: readonly { readonly name: string; readonly connected: boolean }[];
    readonly lastTradeAt: number | null;
    readonly trades: number;
  };
  readonly holes: { readonly repaired: number; readonly lost: number };
  readonly lag: number;
  readonly restore_s: number | null;
  readonly model: string | null;
  readonly memory_bytes: number;
}

export interface Report {
  readonly health: Health;
  /** Trades a second since the report before; null at first. */
  readonly rate: number | null;
  readonly at: number;
}

const EVERY_MS = 3000;

export const report = signal<Report | null>(null);

export function watch(): void {
  const ask = async (): Promise<void> => {
    if (document.visibilityState === 'hidden' && report.value) return;
    try {
      const health = await get<Health>('v1/health');
      const at = Date.now();
      const before = report.value;
      const seconds = before ? (at - before.at) / 1000 : 0;
      const grown = before ? health.feed.trades - before.health.feed.trades : 0;
      report.value = { health, at, rate: seconds > 0.5 && grown >= 0 ? grown / seconds : null };
    } catch {
      // The stream tells when the server is gone.
    }
  };
  void ask();
  setInterval(() => void ask(), EVERY_MS);
}

/** The feed is lost when this process captures and no connection stands. */
export function isFeedLost({ health }: Report): boolean {
  const { connections } = health.feed;
  return connections.length > 0 && connections.every(({ connected }) => !connected);
}
