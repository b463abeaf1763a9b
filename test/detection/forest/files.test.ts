/** The forest's forms on disk: each gives back the same scores, and no file, however damaged, does worse than be refused. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { IsolationForest } from 'tapewatch/forest';
import { TapewatchError } from '../../../src/market/error.ts';
import { Random } from '../../../src/market/random.ts';

function forestOf(seed: number, features = 5, sampleSize = 128): { forest: IsolationForest; rows: Float32Array } {
  const random = new Random(seed);
  const rows = Float32Array.from({ length: 500 * features }, () => Math.round((random.next() - 0.5) * 300) / 8);
  return { forest: IsolationForest.fit(rows, { features, trees: 20, sampleSize, seed, contamination: 0.1 }), rows };
}

test('JSON, bytes and ONNX give back the same scores, bit for bit', () => {
  for (const [seed, features, sampleSize] of [
    [1, 5, 128],
    [2, 1, 2],
    [3, 30, 400],
  ] as const) {
    const { forest, rows } = forestOf(seed, features, sampleSize);
    const scores = forest.score(rows);
    for (const again of [
      IsolationForest.fromJSON(JSON.parse(JSON.stringify(forest))),
      IsolationForest.fromBytes(forest.toBytes()),
      IsolationForest.fromONNX(forest.toONNX()),
    ]) {
      assert.deepEqual(again.score(rows), scores);
      assert.deepEqual(again.toJSON(), forest.toJSON());
    }
    assert.ok(forest.toBytes().length * 2 < JSON.stringify(forest).length);
  }
});

test('a damaged file is refused with a sentence, or is still a forest', () => {
  const { forest, rows } = forestOf(4);
  const forms = [
    { bytes: forest.toBytes(), read: (bytes: Uint8Array) => IsolationForest.fromBytes(bytes) },
    { bytes: forest.toONNX(), read: (bytes: Uint8Array) => IsolationForest.fromONNX(bytes) },
  ];
  for (const { bytes, read } of forms) {
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.nat(255), fc.boolean(), (at, value, cut) => {
        const damaged = cut ? bytes.slice(0, at) : bytes.slice();
        if (!cut) damaged[at] = value;
        let score: number;
        try {
          const { features, score: scoreRows } = read(damaged);
          score = scoreRows.call(read(damaged), rows.subarray(0, features))[0]!;
        } catch (error) {
          assert.ok(error instanceof TapewatchError, String(error));
          return;
        }
        assert.ok(score >= 0 && score <= 1);
      }),
      { numRuns: 400 },
    );
  }
});

test('a tree too deep to walk, or without its rows, is refused', () => {
  const depth = 1500;
  const chain = {
    format: 'isolation-forest/1',
    features: 1,
    sampleSize: 2,
    threshold: 0.5,
    roots: [0, 2 * depth + 1],
    feature: Array.from({ length: 2 * depth + 1 }, (_, i) => (i < depth ? 0 : -1)),
    split: new Array(2 * depth + 1).fill(0),
    right: Array.from({ length: 2 * depth + 1 }, (_, i) => (i < depth ? 2 * depth - i : 0)),
    samples: Array.from({ length: 2 * depth + 1 }, (_, i) => (i < depth ? depth + 1 - i : 1)),
  };
  assert.throws(() => IsolationForest.fromJSON(chain), /deeper than 1000/);
  const { forest } = forestOf(5);
  const json = forest.toJSON();
  assert.throws(
    () => IsolationForest.fromJSON({ ...json, samples: json.samples.map(() => 1) }),
    /rows of its children/,
  );
  assert.throws(() => IsolationForest.fromBytes(new Uint8Array(40)), /not the bytes of a forest/);
  assert.throws(() => IsolationForest.fromONNX(new Uint8Array(0)), /no graph/);
});
