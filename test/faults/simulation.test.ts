/**
 * The whole system on virtual time, from one seed: two captures and two detectors that are killed or stand still at random
 * moments, an exchange with random faults, a slow and failing network. TAPEWATCH_SEEDS sets how many seeds (1),
 * TAPEWATCH_SEED the first.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeTrade } from '../../src/market/codec.ts';
import type { TradeText } from '../../src/market/records.ts';
import { DEFAULT_MODEL, loadArtefact, settingsId } from '../../src/model/artefact-file.ts';
import { assertSameLines, asTrade, backtestLines, marketTape } from '../tape-lines.ts';
import { lastingFaults, repairableFaults, World } from './simulation/world.ts';

const SEEDS = Number(process.env['TAPEWATCH_SEEDS'] ?? 1);
const FIRST = Number(process.env['TAPEWATCH_SEED'] ?? Date.now() % 100_000);
const START_MS = Date.UTC(2026, 0, 5);
const TRADES = 60_000;
const settings = { budget: 24, close_after_s: 600, rules: [] };
const policy = { artefact: loadArtefact(DEFAULT_MODEL), settings, settingsId: settingsId(settings) };

for (let seed = FIRST; seed < FIRST + SEEDS; seed++) {
  const trades = (): TradeText[] =>
    marketTape(TRADES, { seed, symbols: 4, startMs: START_MS, quiet_s: 3600, every_s: 60 });
  const partitions = 1 + (seed % 4);

  test(`seed ${seed}: with faults that REST repairs, every trade once and the bytes of the backtest`, async () => {
    const tape = trades();
    const faults = repairableFaults(seed, span(tape));
    const world = new World({ seed, trades: tape, policy, partitions, faults });
    await world.run();
    const context = JSON.stringify({ seed, faults, lives: world.told.lives });
    assert.deepEqual(world.lost(), [], context);
    assertTape(world, tape, context);
    assertSameLines(world.lines(), await backtestLines([tape.map(asTrade)], policy), context);
  });

  test(`seed ${seed}: with halts and losses, what the log says in one pass`, async () => {
    const tape = trades();
    const faults = lastingFaults(seed, span(tape));
    const world = new World({ seed, trades: tape, policy, partitions, faults });
    await world.run();
    const context = JSON.stringify({ seed, faults, lives: world.told.lives });
    assert.ok(world.lost().length > 0, context);
    assertSameLines(world.lines(), await backtestLines(world.recorded(), policy), context);
  });
}

function span(trades: readonly TradeText[]): number {
  return (trades.at(-1)!.timeUs - trades[0]!.timeUs) / 1e6;
}

function assertTape(world: World, trades: readonly TradeText[], context: string): void {
  const tape = world.tape();
  for (const [symbol, list] of Map.groupBy(trades, (trade) => trade.symbol)) {
    const lines = (tape.get(symbol) ?? []).map(({ line }) => line);
    const expected = list.map(encodeTrade);
    const at = expected.findIndex((line, i) => line !== lines[i]);
    assert.equal(lines[at], expected[at], `${symbol}, trade ${at} of ${expected.length}: ${context}`);
    assert.equal(lines.length, expected.length, `${symbol}: ${context}`);
  }
}
