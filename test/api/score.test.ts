/** Inference over HTTP: the same forest and the same bytes as the detector's, and a refusal that names row and column. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { type FastifyInstance, fastify } from 'fastify';
import { detectRoutes } from '../../src/api/routes/detect.ts';
import { scoreRoutes } from '../../src/api/routes/score.ts';
import { backtest } from '../../src/backtest/backtest.ts';
import { policyOf } from '../../src/commands/policy.ts';
import { scoreRow } from '../../src/detection/score-row.ts';
import { FEATURES } from '../../src/detection/surprise/vector.ts';
import { encodeAnomaly } from '../../src/market/codec.ts';
import { Random } from '../../src/market/random.ts';
import type { Trade } from '../../src/market/records.ts';
import type { Model } from '../../src/model/scoring-model.ts';
import { readTape } from '../../src/tape-files/tape.ts';

const policy = policyOf({});
let app: FastifyInstance;
before(async () => {
  app = fastify({ bodyLimit: 16 << 20 });
  const model: Model = { kind: 'detector', artefact: policy.artefact };
  await app.register(scoreRoutes({ policy, model: async () => model, atHand: () => model }));
  await app.register(detectRoutes({ policy }));
});
after(() => app.close());

const { mean, deviation } = policy.artefact.scaling;
/** A row that is `z` usual deviations above the usual in every feature. */
const values = (z: number): number[] => FEATURES.map((_, i) => mean[i]! + z * deviation[i]!);
const row = (z: number): Record<string, unknown> => Object.fromEntries(values(z).map((x, i) => [FEATURES[i]!, x]));

test('a usual row scores low, an extreme one high and rare, as the forest says', async () => {
  const answer = await app.inject({ method: 'POST', url: '/score', payload: { rows: [row(0.1), row(60)] } });
  assert.equal(answer.statusCode, 200);
  const { model, items } = answer.json() as { model: string; items: ReturnType<typeof scoreRow>[] };
  assert.equal(model, policy.artefact.id);
  const [usual, extreme] = items;
  assert.ok(usual!.forest < 0.5 && usual!.severity === 'none');
  assert.ok(extreme!.forest > usual!.forest && extreme!.return_period_s > usual!.return_period_s);
  assert.equal(extreme!.forest, scoreRow(policy.artefact, Float64Array.from(values(60))).forest);
  assert.ok(Math.abs(extreme!.contributions!.reduce((sum, { share }) => sum + share, 0) - 1) < 1e-9);
});

test('a row that can not be scored is refused by its number and column', async () => {
  const { [FEATURES[3]!]: _, ...lacking } = row(1);
  for (const [bad, said] of [
    [lacking, `Row 1: ${FEATURES[3]} is missing.`],
    [{ ...row(1), colour: 3 }, 'Row 1: there is no feature colour.'],
    [{ ...row(1), [FEATURES[5]!]: 'NaN' }, `Row 1: ${FEATURES[5]} is not a finite number.`],
  ] as const) {
    const answer = await app.inject({ method: 'POST', url: '/score', payload: { rows: [row(1), bad] } });
    assert.ok(answer.statusCode >= 400);
    assert.equal((answer.json() as { message: string }).message, said);
  }
});

test('trades give the bytes of a backtest of their file: repeats dropped, holes told', async () => {
  const random = new Random(3);
  let time = 1.76e12;
  const trades: Trade[] = Array.from({ length: 20_000 }, (_, i) => {
    time += Math.floor(random.next() * 1000);
    const burst = i > 15_000 && i < 15_300;
    if (burst) time -= 400;
    const price = Math.round((100 + random.next() + (burst ? (i - 15_000) / 20 : 0)) * 100) / 100;
    return { timestamp: time, symbol: i % 2 ? 'AAA' : 'BBB', id: i >> 1, price, volume: burst ? 90 : 1, side: 'buy' };
  });
  const given = [...trades.slice(0, 9000), ...trades.slice(8990, 9900), ...trades.slice(9950)];
  const path = join(mkdtempSync(join(tmpdir(), 'tapewatch-score-')), 'tape.ndjson');
  writeFileSync(path, given.map((trade) => `${JSON.stringify(trade)}\n`).join(''));
  const { anomalies } = await backtest({ tapes: [readTape([path])], policy });
  rmSync(dirname(path), { recursive: true });
  assert.ok(
    anomalies.some(({ kind }) => kind === 'data_fault'),
    'the hole is told',
  );
  assert.ok(
    anomalies.some(({ kind }) => kind !== 'data_fault'),
    'the tape has something to find',
  );
  const answer = await app.inject({ method: 'POST', url: '/detect', payload: { trades: given } });
  assert.equal(answer.body, `{"items":[${anomalies.map(encodeAnomaly).join()}]}`);
});
