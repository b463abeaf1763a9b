/** Isolation trees as flat arrays, in preorder: a node's left child is the next node. */

import { Random } from '../../market/random.ts';
import { log, log2 } from '../math.ts';
import { raiseToOddKey } from './float-order.ts';

export interface Trees {
  /** First node of each tree, and one past the last node. */
  readonly roots: Int32Array;
  /** Column a node splits on; -1 for a leaf. */
  readonly feature: Int16Array;
  /** A row goes left where its value is at most this. */
  readonly threshold: Float32Array;
  /** Right child of a split; 0 for a leaf. */
  readonly right: Int32Array;
  /** Training rows that reached the node. */
  readonly samples: Int32Array;
}

const EULER = 0.5772156649015329;

/**
 * c(n): the mean path length of an unsuccessful search in a binary search tree of n nodes, by which path lengths are
 * made comparable (Liu, Ting, Zhou 2008, equation 1): 0 for n < 2, 1 for n = 2, else 2 H(n−1) − 2 (n−1) / n.
 */
export function averagePathLength(n: number): number {
  if (n < 2) return 0;
  return n === 2 ? 1 : 2 * (log(n - 1) + EULER) - (2 * (n - 1)) / n;
}

export interface GrowOptions {
  readonly features: number;
  readonly trees: number;
  readonly sampleSize: number;
  /** Columns a tree may split on. */
  readonly columns: number;
  readonly seed: number;
}

/** Grows trees on `rows` (row-major, `features` columns), each on its own sample without replacement. */
export function grow(rows: Float32Array, options: GrowOptions): Trees {
  const { features, trees, sampleSize, columns, seed } = options;
  const random = new Random(seed);
  const total = rows.length / features;
  const limit = Math.ceil(log2(Math.max(2, sampleSize)));
  const order = Int32Array.from({ length: total }, (_, i) => i);
  const allColumns = Int32Array.from({ length: features }, (_, i) => i);
  const nodes: Growing = { feature: [], threshold: [], right: [], samples: [] };
  const roots = new Int32Array(trees + 1);
  for (let t = 0; t < trees; t++) {
    shuffleFirst(order, sampleSize, random);
    shuffleFirst(allColumns, columns, random);
    roots[t] = nodes.feature.length;
    split(rows, features, order.slice(0, sampleSize), allColumns.slice(0, columns), 0, limit, random, nodes);
  }
  roots[trees] = nodes.feature.length;
  return {
    roots,
    feature: Int16Array.from(nodes.feature),
    threshold: Float32Array.from(nodes.threshold),
    right: Int32Array.from(nodes.right),
    samples: Int32Array.from(nodes.samples),
  };
}

interface Growing {
  readonly feature: number[];
  readonly threshold: number[];
  readonly right: number[];
  readonly samples: number[];
}

/** Brings a random choice of `count` entries to the front (Fisher and Yates). */
function shuffleFirst(values: Int32Array, count: number, random: Random): void {
  for (let i = 0; i < count; i++) {
    const j = i + random.below(values.length - i);
    const kept = values[i]!;
    values[i] = values[j]!;
    values[j] = kept;
  }
}

function split(
  rows: Float32Array,
  features: number,
  members: Int32Array,
  columns: Int32Array,
  depth: number,
  limit: number,
  random: Random,
  nodes: Growing,
): void {
  const node = nodes.feature.length;
  nodes.feature.push(-1);
  nodes.threshold.push(0);
  nodes.right.push(0);
  nodes.samples.push(members.length);
  if (depth >= limit || members.length < 2) return;
  const cut = chooseCut(rows, features, members, columns, random);
  if (cut === null) return;
  nodes.feature[node] = cut.column;
  nodes.threshold[node] = cut.threshold;
  const left = members.filter((row) => rows[row * features + cut.column]! <= cut.threshold);
  const right = members.filter((row) => rows[row * features + cut.column]! > cut.threshold);
  split(rows, features, left, columns, depth + 1, limit, random, nodes);
  nodes.right[node] = nodes.feature.length;
  split(rows, features, right, columns, depth + 1, limit, random, nodes);
}

/** A random column that varies, and a random value between its least and greatest; null where none varies. */
function chooseCut(
  rows: Float32Array,
  features: number,
  members: Int32Array,
  columns: Int32Array,
  random: Random,
): { readonly column: number; readonly threshold: number } | null {
  const left = columns.slice();
  for (let n = left.length; n > 0; n--) {
    const pick = random.below(n);
    const column = left[pick]!;
    left[pick] = left[n - 1]!;
    let low = Number.POSITIVE_INFINITY;
    let high = Number.NEGATIVE_INFINITY;
    for (const row of members) {
      const x = rows[row * features + column]!;
      if (x < low) low = x;
      if (x > high) high = x;
    }
    if (low === high) continue;
    const drawn = Math.fround(low + random.next() * (high - low));
    const threshold = raiseToOddKey(drawn < high ? drawn : low);
    // Neighbouring floats may leave no odd key between them: then the column counts as constant.
    if (threshold < high) return { column, threshold };
  }
  return null;
}
