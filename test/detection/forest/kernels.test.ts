/** The kernels give one sum of path lengths, bit for bit: or scores would change with the machine and the forest's shape. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { IsolationForest } from 'tapewatch/forest';
import { plainKernel } from '../../../src/detection/forest/kernel.ts';
import { maskKernel } from '../../../src/detection/forest/mask-kernel.ts';
import { grow, type Trees } from '../../../src/detection/forest/trees.ts';
import { Random } from '../../../src/market/random.ts';

const FLOAT32_MAX = 3.4028234663852886e38;
const DENORMAL = 1.401298464324817e-45;
const EDGES = [0, -0, DENORMAL, -DENORMAL, 1.1754943508222875e-38, FLOAT32_MAX, -FLOAT32_MAX, 1, -1, 1e-39];

/** A forest as a file may bring it: any shape, thresholds that no growth would draw, splits that can't be reached. */
function wildTrees(random: Random, features: number, count: number, depthMax: number): Trees {
  const roots: number[] = [];
  const feature: number[] = [];
  const threshold: number[] = [];
  const right: number[] = [];
  const samples: number[] = [];
  const node = (depth: number): void => {
    const at = feature.length;
    const leaf = depth >= depthMax || random.next() < 0.12;
    feature.push(leaf ? -1 : random.below(features));
    threshold.push(leaf ? 0 : wildValue(random));
    right.push(0);
    samples.push(random.below(300));
    if (leaf) return;
    node(depth + 1);
    right[at] = feature.length;
    node(depth + 1);
  };
  for (let t = 0; t < count; t++) {
    roots.push(feature.length);
    node(0);
  }
  return {
    roots: Int32Array.from([...roots, feature.length]),
    feature: Int16Array.from(feature),
    threshold: Float32Array.from(threshold),
    right: Int32Array.from(right),
    samples: Int32Array.from(samples),
  };
}

function wildValue(random: Random): number {
  const kind = random.below(3);
  if (kind === 0) return EDGES[random.below(EDGES.length)]!;
  return kind === 1 ? random.below(9) - 4 : (random.next() - 0.5) * 10;
}

/** Rows on the thresholds, a float to either side of them, and beyond what float32 holds. */
function wildRows(random: Random, { threshold }: Trees, features: number, count: number): Float64Array {
  const float = new Float32Array(1);
  const bits = new Int32Array(float.buffer);
  return Float64Array.from({ length: count * features }, () => {
    const kind = random.below(4);
    if (kind === 0) return wildValue(random);
    if (kind === 1) return random.next() < 0.5 ? 1e300 : -1e300;
    float[0] = threshold[random.below(threshold.length)]!;
    if (kind === 2 && Math.abs(float[0]!) < FLOAT32_MAX) bits[0] = bits[0]! + random.below(3) - 1;
    return Number.isFinite(float[0]!) ? float[0]! : 0;
  });
}

function assertSameBits(trees: Trees, features: number, rows: Float64Array): void {
  const masks = maskKernel(trees, features);
  if (masks === null) return;
  const plain = plainKernel(trees, features);
  const count = rows.length / features;
  const expected = Float64Array.from({ length: count }, (_, i) => plain.pathSum(rows, i * features));
  const sums = new Float64Array(count);
  masks.pathSums(rows, sums);
  assert.deepEqual(sums, expected);
  for (const i of [0, count >> 1, count - 1]) assert.equal(masks.pathSum(rows, i * features), expected[i]);
}

test('WebAssembly and JavaScript agree on any forest and row, at every edge of float32', () => {
  fc.assert(
    fc.property(
      fc.nat(),
      fc.integer({ min: 1, max: 24 }),
      fc.integer({ min: 1, max: 13 }),
      fc.integer({ min: 0, max: 9 }),
      // Fewer than a block and more, an even number and not.
      fc.constantFrom(1, 2, 3, 257, 258, 301),
      (seed, features, count, depthMax, rows) => {
        const random = new Random(seed);
        const trees = wildTrees(random, features, count, depthMax);
        assertSameBits(trees, features, wildRows(random, trees, features, rows));
      },
    ),
    { numRuns: 150 },
  );
});

test('WebAssembly is used for the forests that are usual, and leaves the odd ones to JavaScript', () => {
  const random = new Random(1);
  const rows = Float32Array.from({ length: 4096 * 8 }, () => random.next());
  for (const sampleSize of [64, 256, 512]) {
    const trees = grow(rows, { features: 8, trees: 100, sampleSize, columns: 8, seed: 1 });
    assert.ok(maskKernel(trees, 8) !== null, `${sampleSize} rows a tree`);
    assertSameBits(trees, 8, Float64Array.from(rows.subarray(0, 8000)));
  }
  const deep = grow(rows, { features: 8, trees: 3, sampleSize: 4096, columns: 8, seed: 1 });
  assert.equal(maskKernel(deep, 8), null);
});

test('an engine without WebAssembly gives the same scores, more slowly', () => {
  const rows = Float64Array.from({ length: 900 }, (_, i) => ((i * 7919) % 613) / 17);
  const scores = (): Float64Array => IsolationForest.fit(rows, { features: 3, seed: 5 }).score(rows);
  const expected = scores();
  const engine = globalThis as { WebAssembly?: object };
  const { WebAssembly } = engine;
  try {
    delete engine.WebAssembly;
    assert.equal(
      maskKernel(grow(Float32Array.from(rows), { features: 3, trees: 4, sampleSize: 64, columns: 3, seed: 5 }), 3),
      null,
    );
    assert.deepEqual(scores(), expected);
  } finally {
    Object.assign(engine, { WebAssembly });
  }
});
