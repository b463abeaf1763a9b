/** `tapewatch demo`: the same against the simulated exchange, no network: a market with anomalies now and then. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TapewatchError } from '../market/error.ts';
import type { TradeText } from '../market/records.ts';
import { startExchange } from '../simulator/exchange-server.ts';
import { Market } from '../simulator/market-model.ts';
import { networkHost } from '../transport/network.ts';
import { runLive } from './live.ts';
import { type StartCommand, settingsOf } from './start.ts';

export interface DemoCommand extends StartCommand {
  readonly seed: string;
  readonly speed: string;
}

const SYMBOLS = 10;
/** The market has traded this long when the demo begins, so that nobody waits for detectors to warm up. */
const BEFORE_S = 4500;
const FIRST_ANOMALY_S = 12;
const ANOMALY_EVERY_S = 30;
/** Between two of one symbol: each is to be a story of its own. */
const CALM_S = 120;
const DEMO_BUDGET = '24';

export async function runDemo(options: DemoCommand, version: string): Promise<void> {
  const seed = Number(options.seed);
  const speed = Number(options.speed);
  if (!Number.isInteger(seed) || !(speed > 0))
    throw new TapewatchError('usage', '--seed must be a whole number, --speed a number above 0.');
  let startMs = Date.now();
  const market = new Market({
    seed,
    symbols: SYMBOLS,
    startMs: startMs - BEFORE_S * 1000,
    quiet_s: BEFORE_S + FIRST_ANOMALY_S * speed,
    every_s: ANOMALY_EVERY_S * speed,
    calm_s: CALM_S,
  });
  const before: TradeText[] = [];
  // Its past ends when it has been made, not when that began: what the demo shows is then as late as it really is.
  for (let more = market.next(startMs); more.length > 0; more = market.next(startMs)) {
    for (const trade of more) before.push(trade);
    startMs = Date.now();
  }
  const exchange = await startExchange({
    host: networkHost,
    port: 0,
    symbols: market.symbols.map(({ name }) => name),
    startMs,
    speed,
    faults: [],
    waits: false,
    before,
    source: (untilMs) => market.next(untilMs),
  });
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
      symbols: market.symbols.map(({ name }) => name),
      json: options.json ?? false,
      hint: 'the simulated exchange should be back at once.',
    });
  } finally {
    await exchange.stop();
    if (scratch) rmSync(scratch, { recursive: true, force: true });
  }
}
