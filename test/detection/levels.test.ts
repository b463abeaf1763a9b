/** The levels that open an incident and keep it open, by budget and by how long a symbol has been watched. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HOUR_TOPS_STATE, HourTops, TOP } from '../../src/detection/features/hour-tops.ts';
import { CALIBRATION_STATE, CalibratedScores, unionRaw } from '../../src/detection/surprise/calibration.ts';
import { KIND_COUNT, MARKET_KINDS, SHARE } from '../../src/detection/surprise/kinds.ts';
import { GRID_FIRST, GRID_LEVELS } from '../../src/detection/surprise/tail.ts';
import { DEFAULT_MODEL, loadArtefact } from '../../src/model/artefact-file.ts';

const HOUR_S = 3600;
const DAY_S = 24 * HOUR_S;
const { calibration } = loadArtefact(DEFAULT_MODEL);

/** Levels after `exposure` seconds of a tape like the pool's, in which as many incidents were opened as the budget asks for. */
function levels(budget: number, exposure: number): CalibratedScores {
  const scores = new CalibratedScores(new Float64Array(CALIBRATION_STATE));
  for (const [i, pool] of [...calibration.kinds, calibration.union].entries()) {
    const { peaks, seconds } = scores.tail(i).counts;
    for (let level = 0; level < GRID_LEVELS; level++) {
      peaks[level] = exposure / Math.exp(pool.logPeriod[level]!);
      seconds[level] = exposure * Math.exp(pool.logShare[level]!);
    }
  }
  scores.freeze(calibration, { budget, close_after_s: 600, rules: [] }, exposure, (budget * exposure) / DAY_S);
  return scores;
}

/** How often the level that opens is passed by the rarest of a second's kinds, s. */
function passedEvery(scores: CalibratedScores): number {
  return Math.exp(scores.tail(KIND_COUNT).logPeriod(unionRaw(scores.openLogPeriod)));
}

test('what opens an incident is rarer in a symbol’s first hours, and then as rare as the budget asks', () => {
  const settled = passedEvery(levels(1, 100 * DAY_S));
  // A part of what passes the level falls into an incident that is open.
  assert.ok(settled > DAY_S / 3 && settled < DAY_S, `once in ${settled} s`);
  const young = [1, 2, 4, 24].map((hours) => passedEvery(levels(1, hours * HOUR_S)) / settled);
  for (const [i, factor] of young.entries()) assert.ok(factor > (young[i + 1] ?? 1), `${young}`);
  assert.ok(young[0]! > 1.3 && young[0]! < 1.6, `${young[0]}`);
  assert.ok(young[3]! < 1.05, `${young[3]}`);
});

test('a budget four times as large opens what comes four times as often', () => {
  for (const budget of [0.25, 1]) {
    const ratio = passedEvery(levels(budget, 9 * DAY_S)) / passedEvery(levels(4 * budget, 9 * DAY_S));
    assert.ok(Math.abs(ratio - 4) < 1e-6, `${budget}: ${ratio}`);
  }
});

test('an incident is held open by what comes every four hours, under a large budget by what opens one', () => {
  for (const budget of [0.25, 1, 4]) {
    const scores = levels(budget, 9 * DAY_S);
    for (const [k, kind] of MARKET_KINDS.entries()) {
      const held = scores.logPeriod(k, scores.holdLevel(k)) + SHARE[k]!;
      // A suspicion of wash trades is so rare that not even the lowest level comes so often.
      if (kind === 'wash_suspicion') assert.equal(scores.holdLevel(k), GRID_FIRST);
      else assert.ok(Math.abs(held - Math.log(4 * HOUR_S)) < 1e-9, `${kind}: ${Math.exp(held)} s`);
      assert.ok(scores.level(k) > scores.holdLevel(k) || kind === 'wash_suspicion', kind);
    }
  }
  const busy = levels(500, 9 * DAY_S);
  for (let k = 0; k < KIND_COUNT; k++) assert.equal(busy.holdLevel(k), busy.level(k));
});

test('the usual top of the hour is taken higher than the tops seen while they are few', () => {
  const tops = new HourTops(new Float64Array(HOUR_TOPS_STATE));
  const usual: number[] = [];
  for (let hour = 0; hour <= 60; hour++) {
    tops.enter(1000 + hour * HOUR_S);
    usual.push(tops.usual[TOP.flow]!);
    tops.see(TOP.flow, 20);
    tops.see(TOP.flow, 3);
  }
  assert.equal(usual[0], 0);
  assert.ok(usual[1]! > 20 * 1.2 && usual[1]! < 20 * 1.5, `${usual[1]}`);
  for (let hour = 2; hour <= 60; hour++) assert.ok(usual[hour]! < usual[hour - 1]! && usual[hour]! > 20);
  assert.ok(usual[60]! < 20 * 1.02, `${usual[60]}`);
});
