/**
 * As a user runs it: `simulate` in one process, `start` in another, stopped with Ctrl-C in the middle and started again; the
 * log then holds, symbol by symbol, the bytes of `backtest`. The real tape of a day, and 200,000 simulated trades with every
 * fault that REST can repair.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { policyOf } from '../../src/commands/policy.ts';
import type { TapeRecord } from '../../src/market/records.ts';
import { readTape } from '../../src/tape-files/tape.ts';
import { processClock } from '../../src/transport/network.ts';
import { DATA, WITHOUT_DATA } from '../real-data.ts';
import { assertSameLines, backtestLines, loggedLines } from '../tape-lines.ts';

const BIN = fileURLToPath(new URL('../../bin/tapewatch.js', import.meta.url));
const BUDGET = '24';
const FAULTS =
  'hole@300:7,duplicate@500:3,reorder@700:2,cut@1000,malformed@1200,shutdown@1500:60,429@1700:300,hole@1750:900,stall@2500:200,hole@4000:40,cut@4200,418@4300:200';

/** Looks, a quarter of a second apart, that find no new trade: the tape is at its end, and detected. */
const STILL = 24;

/** Between its two lives thousands of trades a second are missed: all of them are to be repaired. */
const env = { ...process.env, TAPEWATCH_REPAIR_LIMIT: '10000000' };
const tapewatch = (...args: string[]): ChildProcess =>
  spawn(process.execPath, [BIN, ...args], { stdio: ['ignore', 'pipe', 'pipe'], env });

interface Served {
  readonly ws: string;
  readonly rest: string;
  readonly symbols: readonly string[];
}

/** Serves a tape of so many trades, watches, stops in the middle, goes on to the end; gives the data folder. */
async function watched(serve: readonly string[], trades: number): Promise<string> {
  const simulator = tapewatch('simulate', '--port', '0', ...serve);
  const [line] = (await once(createInterface({ input: simulator.stdout! }), 'line')) as [string];
  const { ws, rest, symbols } = JSON.parse(line) as Served;
  const dir = mkdtempSync(join(tmpdir(), 'tapewatch-served-'));
  const options = [
    '--data',
    dir,
    '--history',
    '0',
    '--budget',
    BUDGET,
    '--symbols',
    symbols.join(','),
    '--ws-url',
    ws,
    '--rest-url',
    rest,
  ];
  for (const enough of [trades / 2, Number.POSITIVE_INFINITY]) {
    const start = tapewatch('start', '--port', '0', ...options);
    const exited = once(start, 'exit');
    const address = await addressOf(start);
    let captured = 0;
    for (let still = 0; captured < enough && still < STILL; ) {
      await processClock.sleep(250);
      const now = await metric(address, 'tapewatch_trades_total');
      still = now > captured || now === 0 ? 0 : still + 1;
      captured = now;
    }
    start.kill('SIGINT');
    const [code] = (await exited) as [number];
    assert.equal(code, 0);
  }
  simulator.kill('SIGINT');
  await once(simulator, 'exit');
  return dir;
}

async function addressOf(start: ChildProcess): Promise<string> {
  for await (const line of createInterface({ input: start.stderr! })) {
    const address = /http:\/\/[\d.:]+/.exec(line)?.[0];
    if (address === undefined) continue;
    start.stderr!.resume();
    start.stdout!.resume();
    return address;
  }
  throw new Error('start never said where it listens');
}

async function metrics(address: string): Promise<string[]> {
  return (await (await fetch(`${address}/metrics`)).text()).split('\n').filter((line) => !line.startsWith('#'));
}

async function metric(address: string, name: string): Promise<number> {
  const lines = (await metrics(address)).filter((line) => line.startsWith(name));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}

async function recordsOf(files: readonly string[]): Promise<TapeRecord[]> {
  const records: TapeRecord[] = [];
  for await (const batch of readTape(files)) for (const record of batch) records.push(record);
  return records;
}

async function check(serve: readonly string[], files: readonly string[]): Promise<void> {
  const records = await recordsOf(files);
  const trades = records.filter((record) => !('type' in record)).length;
  const dir = await watched(serve, trades);
  assertSameLines(await loggedLines(dir), await backtestLines([records], policyOf({ budget: BUDGET })));
  rmSync(dir, { recursive: true });
}

test('a real day of TRXUSDT', { skip: WITHOUT_DATA, timeout: 200_000 }, async () => {
  const file = `${DATA}tapes/binance_trades_2025-10-10_TRXUSDT.csv.gz`;
  await check(['--tape', file, '--speed', '4000'], [file]);
});

test('200,000 simulated trades, with every fault that REST can repair', { timeout: 300_000 }, async () => {
  const market = ['--seed', '7', '--symbols', '5', '--trades', '200000'];
  const dir = mkdtempSync(join(tmpdir(), 'tapewatch-tape-'));
  const file = join(dir, 'tape.ndjson');
  const writing = tapewatch('simulate', ...market, '--out', file);
  await once(writing, 'exit');
  await check([...market, '--speed', '600', '--fault', FAULTS], [file]);
  rmSync(dir, { recursive: true });
});
