/** The user's rules and verdicts: what they let through, hold back and raise. Without them a user can't make it quiet. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseRules, SymbolRules } from '../../src/detection/decision/rules.ts';
import { Random } from '../../src/market/random.ts';
import type { Anomaly, Rule, TapeRecord } from '../../src/market/records.ts';
import { DEFAULT_MODEL, loadArtefact, settingsId } from '../../src/model/artefact-file.ts';
import { TapeDetector } from '../../src/pipeline/tape-detector.ts';

const artefact = loadArtefact(DEFAULT_MODEL);
/** A Monday, 00:00 UTC. */
const MONDAY = Date.UTC(2026, 0, 5);
const symbol = 'BTCUSDT';

function detect(tape: readonly TapeRecord[], rules: readonly Rule[], budget = 1): Anomaly[] {
  const settings = { budget, close_after_s: 600, rules };
  const anomalies: Anomaly[] = [];
  const output = { anomaly: (anomaly: Anomaly) => anomalies.push(anomaly), bar: () => undefined };
  const detector = new TapeDetector({ policy: { artefact, settings, settingsId: settingsId(settings) }, output });
  for (const record of tape) detector.push(record);
  return anomalies.filter(({ kind }) => kind !== 'silence');
}

/** Three calm hours, then a minute in which the price falls by two per cent on forty times the trades. */
function tapeWithFall(): TapeRecord[] {
  const random = new Random(9);
  const tape: TapeRecord[] = [];
  let at = MONDAY;
  let price = 100;
  for (let id = 1; id <= 14_000; id++) {
    const falling = id > 11_000 && id <= 13_000;
    at += -Math.log(1 - random.next()) * (falling ? 30 : 1000);
    price += falling ? -0.001 : (random.next() - 0.5) * 0.02;
    const side = random.next() < (falling ? 0.05 : 0.5) ? 'buy' : 'sell';
    tape.push({ timestamp: at, symbol, id, price: Math.round(price * 100) / 100, volume: 1 + random.next(), side });
  }
  return tape;
}

test('without rules the fall is told; muted hours, a direction, a least notional each hold it back', () => {
  const tape = tapeWithFall();
  const told = detect(tape, []);
  assert.ok(told.some(({ direction, phase }) => direction === 'down' && phase === 'open'));
  assert.deepEqual(detect(tape, [{ muted: ['00:00-24:00'] }]), []);
  assert.deepEqual(detect(tape, [{ symbol, muted: ['Mon'] }]), []);
  assert.deepEqual(detect(tape, [{ muted: ['2026-01-05 02:00-06:00'] }]), []);
  assert.deepEqual(detect(tape, [{ minNotional: 1e9 }]), []);
  assert.ok(detect(tape, [{ direction: 'up' }]).every(({ direction }) => direction !== 'down'));
  assert.deepEqual(
    detect(tape, [{ symbol: 'ETHUSDT', muted: ['00:00-24:00'] }]),
    told.map(withSettings([{ symbol: 'ETHUSDT', muted: ['00:00-24:00'] }])),
  );
});

test('a z-score rule raises a kind that the budget would not', () => {
  const tape = tapeWithFall().slice(0, 10_900);
  const quiet = detect(tape, [], 0.001);
  const ruled = detect(tape, [{ kind: 'price_jump', zscore: 2.5 }], 0.001);
  assert.deepEqual(quiet, []);
  // What is as rare as ever joins an open incident; only the rule's kind opens one.
  const opened = ruled.filter(({ phase }) => phase === 'open');
  assert.ok(opened.length > 0 && opened.every(({ kind }) => kind === 'price_jump'));
  assert.ok(opened.some(({ zscore }) => Math.abs(zscore) >= 2.5));
});

test('"not interesting" makes a kind of a symbol rarer from the next hour on, and "interesting" takes it back', () => {
  const tape = tapeWithFall();
  const [first] = detect(tape, [], 24);
  const verdict = (n: number, word: 'interesting' | 'not_interesting'): TapeRecord[] =>
    Array.from({ length: n }, () => ({
      type: 'feedback',
      symbol,
      timestamp: MONDAY,
      anomaly: first!.id,
      kind: first!.kind,
      verdict: word,
    }));
  const kindsTold = (records: readonly TapeRecord[]): number =>
    detect([...tape.slice(0, 100), ...records, ...tape.slice(100)], [], 24).filter(({ kind }) => kind === first!.kind)
      .length;
  assert.ok(kindsTold(verdict(4, 'not_interesting')) < kindsTold([]));
  assert.equal(kindsTold([...verdict(4, 'not_interesting'), ...verdict(4, 'interesting')]), kindsTold([]));
});

test('rules that make no sense are all named, and stop the start', () => {
  const wrong = [{ kind: 'crash' }, { zscore: -1, muted: ['25:99'] }, { direction: 'sideways', colour: 'red' }, 7];
  assert.throws(
    () => parseRules(wrong),
    (error: Error) => {
      assert.equal(error.message.split('\n').length, 6);
      return true;
    },
  );
  assert.throws(() => parseRules({}), /JSON list/);
});

test('muted periods wrap around midnight and know their weekday', () => {
  const rules = new SymbolRules([{ muted: ['22:00-06:00', 'Sun'] }], symbol);
  const at = (hour: number, day = 0): boolean =>
    rules.allows('pump', 1, null, MONDAY / 1000 + day * 86_400 + hour * 3600);
  assert.deepEqual([at(23), at(5), at(6), at(12), at(12, 6)], [false, false, true, true, false]);
});

function withSettings(rules: readonly Rule[]): (anomaly: Anomaly) => Anomaly {
  const settings = settingsId({ budget: 1, close_after_s: 600, rules });
  return (anomaly) => ({ ...anomaly, evidence: { ...anomaly.evidence, settings } });
}
