/** `tapewatch demo`: the same against the simulated exchange, no network: a market with anomalies now and then. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TapewatchError } from '../market/error.ts';
import { startExchange } from '../simulator/exchange-server.ts';
import { networkHost } from '../transport/network.ts';
import { runLive } from './live.ts';
import { marketSince, QUIET_S } from './simulated-market.ts';
import { type StartCommand, settingsOf } from './start.ts';

export interface DemoCommand extends StartCommand {
  readonly seed: string;
  readonly speed: string;
}

const SYMBOLS = 10;
const DEMO_BUDGET = '24';

export async function runDemo(options: DemoCommand, version: string): Promise<void> {
  const seed = Number(options.seed);
  const speed = Number(options.speed);
  if (!Number.isInteger(seed) || !(speed > 0))
    throw new TapewatchError('usage', '--seed must be a whole number, --speed a number above 0.');
  const market = marketSince({ seed, symbols: SYMBOLS, sinceMs: Date.now() - QUIET_S * 1000, speed });
  const exchange = await startExchange({ host: networkHost, port: 0, faults: [], ...market });
  // A demo starts anew each time: its market is not that of the day before.
  const scratch = options.data === undefined ? mkdtempSync(join(tmpdir(), 'tapewatch-demo-')) : null;
  try {
    const values = settingsOf({ ...options, ...(scratch ? { data: scratch } : {}) });
    await runLive({
      values,
      version,
      policy: { ...options, budget: options.budget ?? DEMO_BUDGET },
      wsEndpoints: [exchange.wsUrl],
      restEndpoints: [exchange.httpUrl],
      symbols: market.symbols,
      json: options.json ?? false,
      hint: 'the simulated exchange should be back at once.',
    });
  } finally {
    await exchange.stop();
    if (scratch) rmSync(scratch, { recursive: true, force: true });
  }
}
