import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { IsolationForest } from 'tapewatch/forest';
import { averagePathLength } from '../../../src/detection/forest/trees.ts';
import { Random } from '../../../src/market/random.ts';
import { DATA, WITHOUT_DATA } from '../../real-data.ts';

test('c(n) is the constant of the paper, or path lengths of different samples do not compare', () => {
  assert.equal(averagePathLength(0), 0);
  assert.equal(averagePathLength(1), 0);
  assert.equal(averagePathLength(2), 1);
  const harmonic = Array.from({ length: 255 }, (_, i) => 1 / (i + 1)).reduce((a, b) => a + b, 0);
  assert.ok(Math.abs(averagePathLength(256) - (2 * harmonic - (2 * 255) / 256)) < 0.01);
});

/** The score by the definition, walking the JSON node by node: shares no code with the kernels. */
function scoreByHand(forest: IsolationForest, row: readonly number[]): number {
  const { roots, feature, split, right, samples, sampleSize } = forest.toJSON();
  let sum = 0;
  for (let t = 0; t + 1 < roots.length; t++) {
    let node = roots[t]!;
    let depth = 0;
    while (feature[node]! >= 0) {
      node = Math.fround(row[feature[node]!]!) <= Math.fround(split[node]!) ? node + 1 : right[node]!;
      depth++;
    }
    sum += depth + averagePathLength(samples[node]!);
  }
  return 2 ** (-sum / (roots.length - 1) / averagePathLength(sampleSize));
}

function sampleRows(count: number, features: number, seed: number): Float64Array {
  const random = new Random(seed);
  return Float64Array.from({ length: count * features }, () => Math.round((random.next() - 0.5) * 40) / 4);
}

test('single, batch and every kernel give the score of the definition', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 9 }),
      fc.integer({ min: 1, max: 11 }),
      fc.constantFrom(16, 256, 3000),
      fc.nat(),
      (features, trees, sampleSize, seed) => {
        const rows = sampleRows(1200, features, seed);
        const forest = IsolationForest.fit(rows, { features, trees, sampleSize, seed });
        const batch = forest.score(rows);
        const again = IsolationForest.fromJSON(JSON.parse(JSON.stringify(forest)));
        for (let i = 0; i < 40; i++) {
          const row = [...rows.subarray(i * features, (i + 1) * features)];
          assert.equal(forest.scoreOne(Float32Array.from(row)), batch[i]);
          assert.equal(again.scoreOne(Float64Array.from(row)), batch[i]);
          assert.ok(Math.abs(batch[i]! - scoreByHand(forest, row)) < 1e-12);
        }
      },
    ),
    { numRuns: 12 },
  );
});

test('attribution sums to one and names the column that isolates', () => {
  const rows = sampleRows(1000, 4, 3);
  const forest = IsolationForest.fit(rows, { features: 4, seed: 3 });
  const parts = forest.attribute(Float64Array.of(0, 0, 90, 0));
  assert.ok(Math.abs(parts.reduce((a, b) => a + b, 0) - 1) < 1e-12);
  assert.equal(parts.indexOf(Math.max(...parts)), 2);
});

test('rows that can not be scored are refused by row and column', () => {
  const forest = IsolationForest.fit(sampleRows(100, 3, 1), { features: 3 });
  assert.throws(() => forest.score(Float64Array.of(1, 2, 3, 4, Number.NaN, 6)), /row 1, column 1 is NaN/);
  assert.throws(() => forest.score(Float64Array.of(1, 2)), /whole number of rows of 3 columns/);
  assert.throws(() => IsolationForest.fit(new Float32Array(0), { features: 2 }), /no row/);
});

test('a forest file whose nodes point in circles is refused, not walked for ever', () => {
  const json = IsolationForest.fit(sampleRows(100, 2, 1), { features: 2, trees: 1 }).toJSON();
  assert.throws(() => IsolationForest.fromJSON({ ...json, right: json.right.map(() => 0) }), /points outside its tree/);
});

/** Area under the ROC curve: how often an anomaly scores above a normal row (Mann and Whitney), ties count half. */
function areaUnderCurve(scores: Float64Array, labels: Uint8Array): number {
  const normal = scores.filter((_, i) => labels[i] === 0).sort();
  const anomalous = scores.filter((_, i) => labels[i] === 1);
  const below = (limit: (x: number) => boolean): number => {
    let from = 0;
    for (let to = normal.length; from < to; ) {
      const middle = (from + to) >> 1;
      if (limit(normal[middle]!)) from = middle + 1;
      else to = middle;
    }
    return from;
  };
  let wins = 0;
  for (const score of anomalous) wins += (below((x) => x < score) + below((x) => x <= score)) / 2;
  return wins / (normal.length * anomalous.length);
}

test('AUROC on the ten sets stays within one standard deviation of scikit-learn’s', {
  skip: WITHOUT_DATA,
}, () => {
  const folder = `${DATA}isolation-forest/`;
  const [head, ...lines] = readFileSync(`${folder}measured_sklearn_iforest.csv`, 'utf8').trim().split(/\r?\n/);
  const at = (name: RegExp): number => head!.split(',').findIndex((column) => name.test(column));
  for (const line of lines) {
    const cells = line.split(',');
    const name = cells[0]!;
    if (!existsSync(`${folder}${name}.csv.gz`)) continue;
    const text = gunzipSync(readFileSync(`${folder}${name}.csv.gz`)).toString();
    const table = text.trim().split('\n').slice(1);
    const features = table[0]!.split(',').length - 1;
    const rows = new Float32Array(table.length * features);
    const labels = new Uint8Array(table.length);
    for (const [i, row] of table.entries()) {
      const values = row.split(',');
      for (let f = 0; f < features; f++) rows[i * features + f] = Number(values[f]);
      labels[i] = Number(values[features]);
    }
    // Sets of a hundred thousand rows and more have seconds of work a seed.
    const seeds = Array.from({ length: table.length > 100_000 ? 4 : 10 }, (_, seed) => seed + 1);
    const areas = seeds.map((seed) =>
      areaUnderCurve(IsolationForest.fit(rows, { features, seed }).score(rows), labels),
    );
    const mean = areas.reduce((a, b) => a + b, 0) / areas.length;
    const expected = Number(cells[at(/^sk_auroc$/)]);
    const deviation = Number(cells[at(/^sk_sd$/)]);
    assert.ok(Math.abs(mean - expected) <= deviation, `${name}: ${mean} against ${expected} ± ${deviation}`);
  }
});
