/** Grades that a quant would sign: intervals by published tables, hits and false alerts by the grader kept beside the tapes. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { backtest } from '../../src/backtest/backtest.ts';
import { type Grade, grade } from '../../src/backtest/grade.ts';
import { rateInterval, shareInterval } from '../../src/backtest/intervals.ts';
import { readLabels } from '../../src/backtest/labels.ts';
import { encodeAnomaly } from '../../src/market/codec.ts';
import type { Anomaly } from '../../src/market/records.ts';
import { DEFAULT_MODEL, loadArtefact, settingsId } from '../../src/model/artefact-file.ts';
import { readTape } from '../../src/tape-files/tape.ts';
import { DATA, WITHOUT_DATA } from '../real-data.ts';

const near = (actual: readonly number[], expected: readonly number[], error: number): void => {
  for (const [i, value] of expected.entries())
    assert.ok(Math.abs(actual[i]! - value) <= error, `${actual} instead of ${expected}`);
};

test("Wilson's intervals are those of Newcombe's table (1998, method 3)", () => {
  near(shareInterval(81, 263), [0.2553, 0.3662], 5e-5);
  near(shareInterval(15, 148), [0.0624, 0.1605], 5e-5);
  near(shareInterval(0, 20), [0, 0.1611], 5e-5);
  near(shareInterval(1, 29), [0.0061, 0.1718], 5e-5);
});

test("Poisson intervals are Garwood's (1936, as tabled by the Biometrika tables)", () => {
  near(rateInterval(0, 1), [0, 3.689], 5e-4);
  near(rateInterval(1, 1), [0.0253, 5.572], 5e-4);
  near(rateInterval(10, 1), [4.795, 18.39], 5e-3);
  near(rateInterval(50, 1), [37.11, 65.92], 5e-3);
  near(rateInterval(10, 5), [4.795 / 5, 18.39 / 5], 2e-3);
  // Where single probabilities are too small for a double: the normal limit is near.
  near(rateInterval(2000, 1), [1913.3, 2089.6], 1);
});

const START = 1_760_000_000_000;
const HOUR = 3_600_000;

function alert(at: number, rest: Partial<Anomaly> = {}): Anomaly {
  const symbol = rest.symbol ?? 'ABC';
  const id = rest.id ?? `${symbol}:market:${at}:0`;
  return { id, symbol, timestamp: at, kind: 'dump', phase: 'open', severity: 'notice', ...rest } as Anomaly;
}

function gradeOf(labels: string, anomalies: readonly Anomaly[]): Grade {
  const stretch = { symbol: 'ABC', from: START, to: START + 48 * HOUR, trades: 1, step_s: 1, bins: [], closeUps: [] };
  return grade({ anomalies, stretches: [stretch] }, readLabels(labels, 'labels'));
}

test('events made to the ms: found until their end, before it is no hit, near them is no false alert', () => {
  const label = (symbol: string, kind: string, size: number, start: number, end: number): string =>
    JSON.stringify({ symbol, kind, size, start, end });
  const at = START + 10 * HOUR;
  const labels = [
    label('ABC', 'dump', 3, at, at + 120_000),
    label('ABC', 'silence', 10, at + 5 * HOUR, at + 5 * HOUR + 60_000),
    label('OTHER', 'dump', 1, at, at),
  ].join('\n');
  const found = gradeOf(labels, [
    alert(at + 100_000),
    alert(at + 110_000, { kind: 'pump', phase: 'update' }),
    alert(at + 5 * HOUR - 1),
    alert(at + 8 * HOUR, { severity: 'critical' }),
    alert(at + 8 * HOUR + 60_000),
    alert(at + 9 * HOUR),
    alert(at + 9 * HOUR, { kind: 'data_fault', id: 'ABC:data:1:0' }),
    alert(at + 9.5 * HOUR, { phase: 'close' }),
  ]);
  assert.equal(found.events, 2);
  assert.equal(found.eventsOutside, 1);
  assert.equal(found.symbolDays, 2);
  const [all, , critical] = found.scores;
  assert.deepEqual([all!.found, all!.delay_s?.median, all!.falseAlerts], [1, 100, 3]);
  assert.deepEqual([critical!.found, critical!.falseAlerts], [0, 1]);
  assert.deepEqual(
    found.groups.map(({ kind, size, events, found: hits, named }) => [kind, size, events, hits, named]),
    [
      ['dump', 3, 1, 1, 1],
      ['silence', 10, 1, 0, 0],
    ],
  );
});

test('events noted by hand: a minute early is a hit, half an hour around is no false alert; ISO and ms alike', () => {
  const at = START + 10 * HOUR;
  for (const start of [String(at), new Date(at).toISOString(), new Date(at).toISOString().slice(0, 19)]) {
    const { scores } = gradeOf(`symbol,start,kind\nabc,${start},dump\n`, [alert(at - 59_000), alert(at + 1_700_000)]);
    assert.deepEqual([scores[0]!.found, scores[0]!.falseAlerts, scores[0]!.delay_s?.median], [1, 0, -59]);
  }
});

test('what is no file of labels is named', () => {
  assert.throws(() => readLabels('a,b\n1,2\n', 'x.csv'), /x\.csv holds no labels: its first line is "a,b"/);
  assert.throws(() => readLabels('symbol,start\nABC,soon\n', 'x.csv'), /x\.csv, line 2/);
  assert.throws(() => readLabels('{"symbol":"ABC"}\n', 'x'), /x, line 1/);
});

const GRADER = new URL('../../../shared/tools/grade-pumps.mjs', import.meta.url).pathname;
const WITHOUT_GRADER = WITHOUT_DATA || (existsSync(GRADER) ? false : 'the grader of ../shared/tools is absent');

test('announced pumps are graded as the grader beside the tapes grades them', { skip: WITHOUT_GRADER }, async () => {
  const settings = { budget: 4, close_after_s: 600, rules: [] };
  const policy = { artefact: loadArtefact(DEFAULT_MODEL), settings, settingsId: settingsId(settings) };
  const labels = readLabels(readFileSync(`${DATA}pumps/events.csv`, 'utf8'), 'events.csv');
  const events = readFileSync(`${DATA}pumps/events.csv`, 'utf8').split('\n');
  for (const name of ['NAS_2022-02-01_15.00', 'BNT_2020-04-24_15.59']) {
    const tapes = [readTape([`${DATA}pumps/${name}.csv.gz`])];
    const result = await backtest({ tapes, policy, trace: 'time' });
    const folder = mkdtempSync(join(tmpdir(), 'tapewatch-grade-'));
    writeFileSync(join(folder, `${name}.ndjson`), result.anomalies.map((a) => `${encodeAnomaly(a)}\n`).join(''));
    writeFileSync(join(folder, 'events.csv'), [events[0], events.find((row) => row.startsWith(name))].join('\n'));
    const { scores } = grade(result, labels);
    for (const [choice, filters] of [
      ['all', []],
      ['critical', ['--severity', 'critical']],
      ['pump, critical', ['--severity', 'critical', '--kinds', 'pump']],
    ] as const) {
      const options = [
        '--alerts',
        folder,
        '--events',
        join(folder, 'events.csv'),
        '--as-emitted',
        '--json',
        ...filters,
      ];
      const told = JSON.parse(execFileSync(process.execPath, [GRADER, ...options], { encoding: 'utf8' }));
      const ours = scores.find(({ alerts }) => alerts === choice)!;
      assert.equal(ours.falseAlerts, told.false_alerts, `${name}, ${choice}: false alerts`);
      assert.deepEqual(
        ours.windows.map(({ hits }) => hits),
        told.windows.map(({ hits }: { hits: number }) => hits),
        `${name}, ${choice}: hits by window`,
      );
    }
  }
});
