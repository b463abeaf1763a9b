/**
 * Path lengths, fast: every tree becomes an implicit complete tree of one depth, values and thresholds become integers
 * that keep the order of float32, and four trees are walked at once so that their loads overlap.
 * Deeper forests are walked node by node. Both add path lengths in the order of the trees: one sum, bit for bit.
 */
import { averagePathLength, type Trees } from './trees.ts';

const DEPTH_MAX = 10;

export interface Kernel {
  /** Sum over trees of the path length of the row whose float32 values were set. */
  pathSum(row: Float32Array): number;
}

export function makeKernel(trees: Trees, features: number): Kernel {
  const depth = depthOf(trees);
  return depth <= DEPTH_MAX ? completeKernel(trees, features, Math.max(1, depth)) : walkingKernel(trees);
}

function depthOf(trees: Trees): number {
  let deepest = 0;
  const visit = (node: number, depth: number): void => {
    if (depth > deepest) deepest = depth;
    if (trees.feature[node]! < 0) return;
    visit(node + 1, depth + 1);
    visit(trees.right[node]!, depth + 1);
  };
  for (let t = 0; t + 1 < trees.roots.length; t++) visit(trees.roots[t]!, 0);
  return deepest;
}

function walkingKernel(trees: Trees): Kernel {
  const { roots, feature, threshold, right, samples } = trees;
  return {
    pathSum(row) {
      let sum = 0;
      for (let t = 0; t + 1 < roots.length; t++) {
        let node = roots[t]!;
        let depth = 0;
        for (; feature[node]! >= 0; depth++) node = row[feature[node]!]! <= threshold[node]! ? node + 1 : right[node]!;
        sum += depth + averagePathLength(samples[node]!);
      }
      return sum;
    },
  };
}

/** float32 bits as an int32 of the same order. */
function orderedKey(bits: number): number {
  return bits ^ ((bits >> 31) & 0x7fffffff);
}

function completeKernel(trees: Trees, features: number, depth: number): Kernel {
  const count = trees.roots.length - 1;
  const padded = (count + 3) & ~3;
  const inner = (1 << depth) - 1;
  const leaves = 1 << depth;
  const column = new Int32Array(padded * inner);
  const key = new Int32Array(padded * inner).fill(0x7fffffff);
  const leaf = new Float64Array(padded * leaves);
  const bits = new Int32Array(trees.threshold.map((x) => x + 0).buffer);
  const place = (tree: number, node: number, at: number, level: number): void => {
    if (trees.feature[node]! < 0) {
      const span = 1 << (depth - level);
      const first = (at + 1) * span - leaves;
      leaf.fill(level + averagePathLength(trees.samples[node]!), tree * leaves + first, tree * leaves + first + span);
      return;
    }
    column[tree * inner + at] = trees.feature[node]!;
    key[tree * inner + at] = orderedKey(bits[node]!);
    place(tree, node + 1, 2 * at + 1, level + 1);
    place(tree, trees.right[node]!, 2 * at + 2, level + 1);
  };
  for (let t = 0; t < count; t++) place(t, trees.roots[t]!, 0, 0);
  const keys = new Int32Array(features);
  return {
    pathSum(row) {
      const rowBits = new Int32Array(row.buffer, row.byteOffset, features);
      for (let f = 0; f < features; f++) keys[f] = orderedKey(rowBits[f]!);
      let sum = 0;
      for (let t = 0; t < padded; t += 4) {
        const a0 = t * inner;
        const b0 = a0 + inner;
        const c0 = b0 + inner;
        const d0 = c0 + inner;
        let a = 0;
        let b = 0;
        let c = 0;
        let d = 0;
        for (let level = 0; level < depth; level++) {
          a = 2 * a + (keys[column[a0 + a]!]! > key[a0 + a]! ? 2 : 1);
          b = 2 * b + (keys[column[b0 + b]!]! > key[b0 + b]! ? 2 : 1);
          c = 2 * c + (keys[column[c0 + c]!]! > key[c0 + c]! ? 2 : 1);
          d = 2 * d + (keys[column[d0 + d]!]! > key[d0 + d]! ? 2 : 1);
        }
        const base = t * leaves - inner;
        sum += leaf[base + a]!;
        sum += leaf[base + leaves + b]!;
        sum += leaf[base + 2 * leaves + c]!;
        sum += leaf[base + 3 * leaves + d]!;
      }
      return sum;
    },
  };
}
