/** ONNX both ways against onnxruntime, scikit-learn and skl2onnx themselves: or a model would score otherwise elsewhere. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { IsolationForest } from 'tapewatch/forest';
import { pythonWith } from '../../bench/python/venv.ts';
import { Random } from '../../src/market/random.ts';

const python = pythonWith();
const skip = 'missing' in python ? `ONNX ${python.missing}` : false;
const folder = mkdtempSync(join(tmpdir(), 'tapewatch-onnx-'));
after(() => rmSync(folder, { recursive: true }));

function peer(...args: string[]): string {
  assert.ok('path' in python);
  const script = new URL('onnx_peer.py', import.meta.url).pathname;
  return execFileSync(python.path, [script, ...args], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
}

function numbers<T>(path: string, make: (buffer: ArrayBuffer) => T): T {
  const bytes = readFileSync(path);
  return make(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}

function furthest(ours: Float64Array, theirs: Float64Array): number {
  assert.equal(ours.length, theirs.length);
  return ours.reduce((most, score, i) => Math.max(most, Math.abs(score - theirs[i]!)), 0);
}

test('onnxruntime scores an exported forest within 1e-5 of ours', { skip }, () => {
  const random = new Random(7);
  for (const [features, trees, sampleSize] of [
    [8, 100, 256],
    [21, 64, 256],
    [1, 3, 2],
    [5, 30, 2000],
  ] as const) {
    const rows = Float32Array.from({ length: 3000 * features }, () => 10 * random.next() ** 3 - 1);
    const forest = IsolationForest.fit(rows, { features, trees, sampleSize, seed: 1 });
    writeFileSync(join(folder, 'ours.onnx'), forest.toONNX());
    writeFileSync(join(folder, 'rows.f32'), rows);
    peer('score', join(folder, 'ours.onnx'), join(folder, 'rows.f32'), String(features), join(folder, 'out.f64'));
    const theirs = numbers(join(folder, 'out.f64'), (buffer) => new Float64Array(buffer));
    assert.ok(furthest(forest.score(rows), theirs) < 1e-5);
  }
});

test('a scikit-learn forest converted by skl2onnx scores here within 1e-5 of onnxruntime', { skip }, () => {
  const cases = JSON.parse(peer('convert', folder)) as { features: number; trees: number; offset: number }[];
  assert.equal(cases.length, 4);
  for (const [i, { features, trees, offset }] of cases.entries()) {
    const forest = IsolationForest.fromONNX(readFileSync(join(folder, `${i}.onnx`)));
    assert.deepEqual([forest.features, forest.trees], [features, trees]);
    assert.ok(Math.abs(forest.threshold + offset) < 1e-6, `threshold ${forest.threshold} of offset ${offset}`);
    const rows = numbers(join(folder, `${i}.f32`), (buffer) => new Float32Array(buffer));
    const theirs = numbers(join(folder, `${i}.f64`), (buffer) => new Float64Array(buffer));
    const difference = furthest(forest.score(rows), theirs);
    assert.ok(difference < 1e-5, `case ${i}: ${difference}`);
  }
});
