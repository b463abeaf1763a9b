/**
 * kill -9 of the whole process at random moments while the simulated exchange goes on: the log then holds, symbol by
 * symbol, the bytes of the backtest. TAPEWATCH_KILLS sets how often (2; the full size is 20: `npm run test:kill`).
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { policyOf } from '../../src/commands/policy.ts';
import { Random } from '../../src/market/random.ts';
import { startExchange } from '../../src/simulator/exchange-server.ts';
import { networkHost, processClock } from '../../src/transport/network.ts';
import { assertSameLines, asTrade, backtestLines, loggedLines, marketTape } from '../tape-lines.ts';

const KILLS = Number(process.env['TAPEWATCH_KILLS'] ?? 2);
const SEED = Number(process.env['TAPEWATCH_SEED'] ?? Date.now() % 100_000);
const BIN = fileURLToPath(new URL('../../bin/tapewatch.js', import.meta.url));
const START = Date.UTC(2026, 0, 5);
const BUDGET = '24';
const TRADES = 150_000;

test(`${KILLS} kills lose nothing and double nothing (seed ${SEED})`, { timeout: 600_000 }, async (t) => {
  const random = new Random(SEED);
  const trades = marketTape(TRADES, { seed: SEED, symbols: 4, startMs: START, quiet_s: 3650, every_s: 60 });
  const span_s = trades.at(-1)!.timeUs / 1e6 - START / 1000;
  let at = 0;
  const exchange = await startExchange({
    host: networkHost,
    port: 0,
    symbols: [...new Set(trades.map(({ symbol }) => symbol))],
    startMs: START,
    // Each life of the process gets about two seconds.
    speed: span_s / (2.5 * (KILLS + 1)),
    faults: [],
    source: (untilMs) => {
      // Null, so that simulated time ends with the tape: else hours of silence would follow, and be told.
      if (at === trades.length) return null;
      const from = at;
      while (at < trades.length && trades[at]!.timeUs <= untilMs * 1000) at++;
      return trades.slice(from, at);
    },
  });
  // Also where an assertion fails: a socket left open would keep the whole run alive.
  t.after(() => exchange.stop());
  const dir = mkdtempSync(join(tmpdir(), 'tapewatch-kill-'));
  const symbols = [...new Set(trades.map(({ symbol }) => symbol))].join(',');
  const options = [
    '--data',
    dir,
    '--port',
    '0',
    '--history',
    '0',
    '--budget',
    BUDGET,
    '--symbols',
    symbols,
    '--ws-url',
    exchange.wsUrl,
    '--rest-url',
    exchange.httpUrl,
  ];
  const launch = () => spawn(process.execPath, [BIN, 'start', ...options], { stdio: 'ignore' });
  for (let kill = 0; kill < KILLS; kill++) {
    const child = launch();
    const exited = once(child, 'exit');
    await processClock.sleep(1200 + 2600 * random.next());
    child.kill('SIGKILL');
    await exited;
  }
  const last = launch();
  const exited = once(last, 'exit');
  while (exchange.published() < trades.length) await processClock.sleep(100);
  await processClock.sleep(6000);
  last.kill('SIGINT');
  const [code] = (await exited) as [number];
  assert.equal(code, 0);
  assertSameLines(await loggedLines(dir), await backtestLines([trades.map(asTrade)], policyOf({ budget: BUDGET })));
  rmSync(dir, { recursive: true });
});
