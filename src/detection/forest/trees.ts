/** Isolation trees as flat arrays, in preorder: a node's left child is the next node. */

import { Random } from '../../market/random.ts';
import { log, log2 } from '../math.ts';
import { raiseToOddKey } from './float-order.ts';

/** Flat, row-major; values are cast to float32 before they meet a threshold, as scikit-learn does. */
export type Rows = Float32Array | Float64Array;

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
  const order = new Int32Array(total).map((_, i) => i);
  const allColumns = new Int32Array(features).map((_, i) => i);
  const growing: Growing = {
    random,
    values: new Float32Array(sampleSize * features),
    sampleSize,
    members: new Int32Array(sampleSize),
    columns: new Int32Array(columns),
    untried: new Int32Array(columns),
    depthMax: Math.ceil(log2(Math.max(2, sampleSize))),
    nodes: { feature: [], threshold: [], right: [], samples: [] },
  };
  const { nodes, values, members } = growing;
  const roots = new Int32Array(trees + 1);
  for (let t = 0; t < trees; t++) {
    shuffleFirst(order, sampleSize, random);
    shuffleFirst(allColumns, columns, random);
    growing.columns.set(allColumns.subarray(0, columns));
    for (let i = 0; i < sampleSize; i++) {
      members[i] = i;
      for (let f = 0; f < features; f++) values[f * sampleSize + i] = rows[order[i]! * features + f]!;
    }
    roots[t] = nodes.feature.length;
    split(growing, 0, sampleSize, 0);
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
  readonly random: Random;
  /** The tree's sample by column. */
  readonly values: Float32Array;
  readonly sampleSize: number;
  /** Rows of the sample, those of a node side by side. */
  readonly members: Int32Array;
  /** Columns the tree may split on. */
  readonly columns: Int32Array;
  readonly untried: Int32Array;
  readonly depthMax: number;
  readonly nodes: {
    readonly feature: number[];
    readonly threshold: number[];
    readonly right: number[];
    readonly samples: number[];
  };
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

/** Makes the node of the members from `from` to `to`, exclusive, and all below it. */
function split(growing: Growing, from: number, to: number, depth: number): void {
  const { values, sampleSize, nodes, depthMax } = growing;
  const node = nodes.feature.length;
  nodes.feature.push(-1);
  nodes.threshold.push(0);
  nodes.right.push(0);
  nodes.samples.push(to - from);
  if (depth >= depthMax || to - from < 2) return;
  const column = chooseCut(growing, from, to, node);
  if (column < 0) return;
  nodes.feature[node] = column;
  const middle = partition(growing.members, from, to, values, column * sampleSize, nodes.threshold[node]!);
  split(growing, from, middle, depth + 1);
  nodes.right[node] = nodes.feature.length;
  split(growing, middle, to, depth + 1);
}

/** Brings the members at or below the threshold to the front; returns where the others begin. */
function partition(
  members: Int32Array,
  from: number,
  to: number,
  values: Float32Array,
  base: number,
  threshold: number,
): number {
  let middle = from;
  for (let i = from; i < to; i++) {
    const row = members[i]!;
    if (values[base + row]! > threshold) continue;
    members[i] = members[middle]!;
    members[middle++] = row;
  }
  return middle;
}

/** A random column that varies, and a random value between its least and greatest as the node's threshold; -1 where none. */
function chooseCut(
  { random, values, sampleSize, members, columns, untried, nodes }: Growing,
  from: number,
  to: number,
  node: number,
): number {
  untried.set(columns);
  for (let n = columns.length; n > 0; n--) {
    const pick = random.below(n);
    const column = untried[pick]!;
    untried[pick] = untried[n - 1]!;
    const base = column * sampleSize;
    let low = Number.POSITIVE_INFINITY;
    let high = Number.NEGATIVE_INFINITY;
    for (let i = from; i < to; i++) {
      const x = values[base + members[i]!]!;
      if (x < low) low = x;
      if (x > high) high = x;
    }
    if (low === high) continue;
    const drawn = Math.fround(low + random.next() * (high - low));
    const threshold = raiseToOddKey(drawn < high ? drawn : low);
    // Neighbouring floats may leave no odd key between them: then the column counts as constant.
    if (threshold >= high) continue;
    nodes.threshold[node] = threshold;
    return column;
  }
  return -1;
}
