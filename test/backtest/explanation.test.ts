/** The picture of an anomaly shows what the detector had, and looking at it changes no byte. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { backtest } from '../../src/backtest/backtest.ts';
import { ExplanationRecorder, explanationOf } from '../../src/backtest/explanation-recorder.ts';
import { encodeAnomaly, encodeBar } from '../../src/market/codec.ts';
import type { Anomaly, Trade } from '../../src/market/records.ts';
import { DEFAULT_MODEL, loadArtefact, settingsId } from '../../src/model/artefact-file.ts';
import { TapeDetector } from '../../src/pipeline/tape-detector.ts';
import { Market } from '../../src/simulator/market-model.ts';

const settings = { budget: 24, close_after_s: 600, rules: [] };
const policy = { artefact: loadArtefact(DEFAULT_MODEL), settings, settingsId: settingsId(settings) };

const trades: Trade[] = [];
const market = new Market({ seed: 9, symbols: 3, startMs: 1_767_571_200_000 });
while (trades.length < 90_000) {
  for (const { timeUs, symbol, id, price, volume, side } of market.next(Number.POSITIVE_INFINITY))
    trades.push({ timestamp: timeUs / 1000, symbol, id, price: Number(price), volume: Number(volume), side });
}
async function* tape(): AsyncIterable<readonly Trade[]> {
  yield trades;
}

test('features end where the record says, with its baseline, and their course is in order', async () => {
  const { anomalies } = await backtest({ tapes: [tape()], policy });
  const told = anomalies.filter(({ phase, kind }) => phase !== 'close' && kind !== 'silence' && kind !== 'data_fault');
  const oneOfAKind = [...Map.groupBy(told, ({ kind }) => kind).values()].map(([first]) => first!);
  let compared = 0;
  for (const anomaly of oneOfAKind) {
    const explanation = (await explanationOf(tape(), { policy }, anomaly.id))!;
    assert.equal(encodeAnomaly(explanation.anomaly), encodeAnomaly(anomaly));
    assert.ok(explanation.trades.some(({ timestamp }) => timestamp === anomaly.timestamp));
    assert.ok(explanation.seconds.length > 10);
    for (const { name, at, value, low, high } of explanation.features) {
      assert.deepEqual(
        at,
        at.toSorted((a, b) => a - b),
      );
      assert.ok(value.length === at.length && low.length === at.length && high.length === at.length);
      // The second's end is later than the trade that alerted: what only grows within a second is at least as large.
      const second = at.indexOf(Math.floor(anomaly.timestamp / 1000) * 1000);
      if (second < 0 || !/^(buys|sells|trades|orders|quote_volume|rush_fills)_/.test(name)) continue;
      assert.ok(
        value[second]! >= anomaly.actual[name]! * (1 - 1e-5),
        `${name}: ${value[second]} < ${anomaly.actual[name]}`,
      );
      const usual = anomaly.expected[name]![1];
      assert.ok(
        Math.abs(high[second]! - usual) <= Math.abs(usual) * 0.5 + 1e-9,
        `${name}: ${high[second]} and ${usual}`,
      );
      compared++;
    }
    const share = explanation.forest.reduce((sum, part) => sum + part.share, 0);
    assert.ok(share <= 1 + 1e-9);
  }
  assert.ok(compared > 0, `nothing was compared: ${oneOfAKind.map(({ kind }) => kind)}`);
});

test('looking at an anomaly changes no byte of any record or bar', async () => {
  const run = (id: string | null): string[] => {
    const lines: string[] = [];
    const plain = {
      anomaly: (anomaly: Anomaly) => lines.push(encodeAnomaly(anomaly)),
      bar: (bar: Parameters<typeof encodeBar>[0]) => lines.push(encodeBar(bar)),
    };
    const recorder = id === null ? null : new ExplanationRecorder(id, () => detector.detectors.get(id.split(':')[0]!));
    const detector: TapeDetector = new TapeDetector({ policy, output: recorder?.output(plain) ?? plain });
    for (const trade of trades) {
      recorder?.trade(trade);
      detector.push(trade);
    }
    return lines;
  };
  const plain = run(null);
  const { id } = plain.map((line) => JSON.parse(line) as Anomaly).find(({ phase }) => phase === 'open')!;
  assert.ok(run(id).join('\n') === plain.join('\n'), 'the outputs differ');
});

test('an id that the tape does not give has no picture', async () => {
  assert.equal(await explanationOf(tape(), { policy }, 'NOSUCH:market:1:0'), null);
});
