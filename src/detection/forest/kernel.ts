/**
 * Path lengths, fast: every tree becomes an implicit complete tree of one depth, values and thresholds become integers
 * that keep the order of float32, and four trees are walked at once so that their loads overlap.
 * Deeper forests, and those whose thresholds are not ours, are walked node by node. Both add path lengths in the order of the trees: one sum, bit for bit.
 */
import { hasOddKey, orderedKey } from './float-order.ts';
import { maskKernel } from './mask-kernel.ts';
import { averagePathLength, type Rows, type Trees } from './trees.ts';

const DEPTH_MAX = 10;

export interface Kernel {
  /** Sum of path lengths over the trees of the row that begins at `offset`. */
  pathSum(rows: Rows, offset: number): number;
  /** The same of each row, into `out`. */
  pathSums(rows: Rows, out: Float64Array): void;
}

/** The fastest for the forest's shape. */
export function makeKernel(trees: Trees, features: number): Kernel {
  return maskKernel(trees, features) ?? plainKernel(trees, features);
}

/** In JavaScript alone: where there is no WebAssembly, for odd shapes, and the oracle of the other. */
export function plainKernel(trees: Trees, features: number): Kernel {
  const depth = depthOf(trees);
  const fits = depth <= DEPTH_MAX && trees.threshold.every((x, i) => trees.feature[i]! < 0 || hasOddKey(x));
  return fits ? completeKernel(trees, features, Math.max(1, depth)) : walkingKernel(trees, features);
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

function walkingKernel(trees: Trees, features: number): Kernel {
  const { roots, feature, threshold, right, samples } = trees;
  const row = new Float32Array(features);
  return eachRow(features, (rows, offset) => {
    for (let f = 0; f < features; f++) row[f] = rows[offset + f]!;
    let sum = 0;
    for (let t = 0; t + 1 < roots.length; t++) {
      let node = roots[t]!;
      let depth = 0;
      for (; feature[node]! >= 0; depth++) node = row[feature[node]!]! <= threshold[node]! ? node + 1 : right[node]!;
      sum += depth + averagePathLength(samples[node]!);
    }
    return sum;
  });
}

function eachRow(features: number, pathSum: Kernel['pathSum']): Kernel {
  return {
    pathSum,
    pathSums(rows, out) {
      for (let i = 0; i * features < rows.length; i++) out[i] = pathSum(rows, i * features);
    },
  };
}

function completeKernel(trees: Trees, features: number, depth: number): Kernel {
  const count = trees.roots.length - 1;
  const padded = (count + 3) & ~3;
  const inner = (1 << depth) - 1;
  const leaves = 1 << depth;
  /** Column and key of each node, side by side. */
  const nodes = new Int32Array(2 * padded * inner);
  const leaf = new Float64Array(padded * leaves);
  const bits = new Int32Array(trees.threshold.map((x) => x + 0).buffer);
  const place = (tree: number, node: number, at: number, level: number): void => {
    if (trees.feature[node]! < 0) {
      const span = 1 << (depth - level);
      const first = (at + 1) * span - leaves;
      leaf.fill(level + averagePathLength(trees.samples[node]!), tree * leaves + first, tree * leaves + first + span);
      return;
    }
    nodes[2 * (tree * inner + at)] = trees.feature[node]!;
    nodes[2 * (tree * inner + at) + 1] = orderedKey(bits[node]!) >> 1;
    place(tree, node + 1, 2 * at + 1, level + 1);
    place(tree, trees.right[node]!, 2 * at + 2, level + 1);
  };
  for (let t = 0; t < count; t++) place(t, trees.roots[t]!, 0, 0);
  const keys = new Int32Array(features);
  const row = new Float32Array(features);
  const rowBits = new Int32Array(row.buffer);
  return eachRow(features, (rows, offset) => {
    // Adding zero turns −0 into 0, whose integer key is its own.
    for (let f = 0; f < features; f++) row[f] = rows[offset + f]! + 0;
    for (let f = 0; f < features; f++) keys[f] = orderedKey(rowBits[f]!) >> 1;
    let sum = 0;
    for (let t = 0; t < padded; t += 4) {
      const a0 = 2 * t * inner;
      const b0 = a0 + 2 * inner;
      const c0 = b0 + 2 * inner;
      const d0 = c0 + 2 * inner;
      let a = 0;
      let b = 0;
      let c = 0;
      let d = 0;
      // The sign of threshold − value chooses the child: no branch to mispredict, and 31-bit keys can't overflow.
      for (let level = 0; level < depth; level++) {
        const an = a0 + 2 * a;
        const bn = b0 + 2 * b;
        const cn = c0 + 2 * c;
        const dn = d0 + 2 * d;
        a = 2 * a + 1 + ((nodes[an + 1]! - keys[nodes[an]!]!) >>> 31);
        b = 2 * b + 1 + ((nodes[bn + 1]! - keys[nodes[bn]!]!) >>> 31);
        c = 2 * c + 1 + ((nodes[cn + 1]! - keys[nodes[cn]!]!) >>> 31);
        d = 2 * d + 1 + ((nodes[dn + 1]! - keys[nodes[dn]!]!) >>> 31);
      }
      const base = t * leaves - inner;
      sum += leaf[base + a]!;
      sum += leaf[base + leaves + b]!;
      sum += leaf[base + 2 * leaves + c]!;
      sum += leaf[base + 3 * leaves + d]!;
    }
    return sum;
  });
}
