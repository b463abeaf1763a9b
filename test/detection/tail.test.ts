/** Return periods of raw scores: what the levels that open incidents, and what people read, stand on. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GRID_FIRST, GRID_LEVELS, GRID_STEP, poolTail, TAIL_STATE, Tail } from '../../src/detection/surprise/tail.ts';
import { Random } from '../../src/market/random.ts';

const HOUR_S = 3600;
const FOUR_HOURS = Math.log(4 * HOUR_S);
const RAWS = Array.from({ length: 400 }, (_, i) => GRID_FIRST + i * 0.03);
const exponential = (random: Random): number => -Math.log(1 - random.next());

/** Symbols of which one second in fifty trades, and its raw score is exponential above 0. */
const POOL = ((): ReturnType<typeof poolTail> => {
  const random = new Random(3);
  const exposure = 90 * 24 * HOUR_S;
  const tail = new Tail(new Float64Array(TAIL_STATE));
  for (let second = 0; second < exposure; second += 50) tail.count(exponential(random), second, 1);
  return poolTail(tail.counts.peaks, tail.counts.seconds, exposure);
})();

/** A symbol's tail after `hours` in which each second trades. */
function busy(hours: number, seed: number): Tail {
  const random = new Random(seed);
  const tail = new Tail(new Float64Array(TAIL_STATE));
  for (let second = 1000; second < 1000 + hours * HOUR_S; second++) tail.count(exponential(random), second, 1);
  tail.freeze(POOL, hours * HOUR_S);
  return tail;
}

test('a rarer score has a longer return period, and a level found for a period has that period', () => {
  for (let seed = 1; seed <= 20; seed++) {
    const tail = busy(seed, seed);
    const periods = RAWS.map((raw) => tail.logPeriod(raw));
    for (let i = 1; i < periods.length; i++) assert.ok(periods[i]! >= periods[i - 1]!);
    for (const hours of [8, 24, 240, 2400]) {
      const raw = tail.rawAt(Math.log(hours * HOUR_S));
      assert.ok(Math.abs(tail.logPeriod(raw) - Math.log(hours * HOUR_S)) < 1e-9, `${hours} h`);
    }
  }
});

test('a new symbol starts from the pool, and what comes often soon follows its own tape', () => {
  const none = new Tail(new Float64Array(TAIL_STATE));
  none.freeze(POOL, 0);
  const level = GRID_FIRST + GRID_STEP * 30;
  assert.equal(none.logPeriod(level), POOL.logPeriod[30]);
  const own = new Tail(new Float64Array(TAIL_STATE));
  for (let hour = 1; hour <= 48; hour++) own.count(level, hour * HOUR_S, 1);
  own.freeze(POOL, 48 * HOUR_S);
  assert.ok(POOL.logPeriod[30]! > Math.log(8 * HOUR_S));
  // (48 h + 8 R) / (48 + 8), where R is the pool's.
  assert.ok(own.logPeriod(level) > Math.log(HOUR_S) && own.logPeriod(level) < FOUR_HOURS);
});

test('an unseen level is never rarer than the pool says and an eighth of what was watched', () => {
  const quiet = new Tail(new Float64Array(TAIL_STATE));
  const watched = 30 * 24 * HOUR_S;
  quiet.freeze(POOL, watched);
  for (let i = 0; i < GRID_LEVELS; i++) {
    const most = Math.log(Math.exp(POOL.logPeriod.at(-1)!) + watched / 8);
    assert.ok(quiet.logPeriod(GRID_FIRST + GRID_STEP * i) <= most + 1e-9);
  }
});

test('what people read falls on below what holds an incident: a usual second of a busy symbol is no rarity in its first hour', () => {
  for (const hours of [1, 6, 48]) {
    const tail = busy(hours, 7 + hours);
    const read = RAWS.map((raw) => tail.logRarity(raw, FOUR_HOURS));
    for (const [i, raw] of RAWS.entries()) {
      if (i > 0) assert.ok(read[i]! >= read[i - 1]! - 1e-12, 'rarer scores read rarer');
      if (tail.logPeriod(raw) > FOUR_HOURS + 1e-9) assert.equal(read[i], tail.logPeriod(raw));
    }
    // One second in three has a raw score of 1.1.
    assert.ok(tail.logRarity(1.1, FOUR_HOURS) < Math.log(600), `after ${hours} h`);
  }
});
