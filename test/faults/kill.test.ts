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
import { backtest } from '../../src/backtest/backtest.ts';
import { policyOf } from '../../src/commands/policy.ts';
import { openEmbeddedLog } from '../../src/event-log/embedded/embedded-log.ts';
import { topicNames } from '../../src/event-log/topics.ts';
import { encodeAnomaly, encodeBar } from '../../src/market/codec.ts';
import { Random } from '../../src/market/random.ts';
import type { TapeRecord, TradeText } from '../../src/market/records.ts';
import { startExchange } from '../../src/simulator/exchange-server.ts';
import { Market } from '../../src/simulator/market-model.ts';
import { Continuity } from '../../src/tape-files/continuity.ts';
import { networkHost, processClock } from '../../src/transport/network.ts';

const KILLS = Number(process.env['TAPEWATCH_KILLS'] ?? 2);
const SEED = Number(process.env['TAPEWATCH_SEED'] ?? Date.now() % 100_000);
const BIN = fileURLToPath(new URL('../../bin/tapewatch.js', import.meta.url));
const START = Date.UTC(2026, 0, 5);
const BUDGET = '24';
const TRADES = 150_000;

test(`${KILLS} kills lose nothing and double nothing (seed ${SEED})`, { timeout: 600_000 }, async () => {
  const random = new Random(SEED);
  const market = new Market({ seed: SEED, symbols: 4, startMs: START, quiet_s: 3650, every_s: 60 });
  const trades: TradeText[] = [];
  while (trades.length < TRADES) trades.push(...market.next(Number.POSITIVE_INFINITY));
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
      const from = at;
      while (at < trades.length && trades[at]!.timeUs <= untilMs * 1000) at++;
      return trades.slice(from, at);
    },
  });
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
  const asked = Date.now();
  last.kill('SIGINT');
  const [code] = (await exited) as [number];
  assert.equal(code, 0);
  assert.ok(Date.now() - asked < 5000, 'Ctrl-C stops within 5 s');
  await exchange.stop();
  assertSame(await logged(dir), await expected(trades));
  rmSync(dir, { recursive: true });
});

async function expected(trades: readonly TradeText[]): Promise<Map<string, string[]>> {
  const lines = new Map<string, string[]>();
  const continuity = new Continuity();
  const records: TapeRecord[] = [];
  for (const { timeUs, symbol, id, price, volume, side } of trades) {
    const trade = { timestamp: timeUs / 1000, symbol, id, price: Number(price), volume: Number(volume), side };
    continuity.admit(trade, 0, 'trade', records);
  }
  async function* tape(): AsyncIterable<TapeRecord[]> {
    yield records;
  }
  const onBar = (bar: Parameters<typeof encodeBar>[0]): void => push(lines, `bars ${bar.symbol}`, encodeBar(bar));
  const { anomalies } = await backtest({ tapes: [tape()], policy: policyOf({ budget: BUDGET }), onBar });
  for (const anomaly of anomalies) push(lines, `anomalies ${anomaly.symbol}`, encodeAnomaly(anomaly));
  return lines;
}

async function logged(dir: string): Promise<Map<string, string[]>> {
  const log = await openEmbeddedLog({ dir, now: Date.now });
  const lines = new Map<string, string[]>();
  const topics = topicNames('');
  for (const [kind, topic] of [
    ['anomalies', topics.anomalies],
    ['bars', topics.bars],
  ] as const) {
    for (let partition = 0; partition < (await log.partitions(topic)); partition++) {
      for (let from = 0; ; ) {
        const { records, next } = await log.read(topic, partition, from);
        if (records.length === 0) break;
        for (const { key, value } of records) push(lines, `${kind} ${key}`, String(value));
        from = next;
      }
    }
  }
  await log.close();
  return lines;
}

function push(lines: Map<string, string[]>, name: string, line: string): void {
  const list = lines.get(name);
  if (list) list.push(line);
  else lines.set(name, [line]);
}

/** Live may only go on after the tape's end: with what the heartbeats there bring forward. */
function assertSame(actual: ReadonlyMap<string, string[]>, wanted: ReadonlyMap<string, string[]>): void {
  for (const [name, lines] of wanted) {
    const got = actual.get(name) ?? [];
    const at = lines.findIndex((line, i) => line !== got[i]);
    assert.equal(got[at], lines[at], `${name}, line ${at} of ${lines.length}`);
    assert.ok(got.length - lines.length <= 3, `${name} has ${got.length} lines instead of ${lines.length}`);
  }
}
