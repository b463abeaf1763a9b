/**
 * The tables of the mask kernel: for each column and each rank among its thresholds, the leaves of every tree that the
 * column still allows, one bit a leaf; and each leaf's path length where its bit is looked up.
 */
import { orderedKey } from './float-order.ts';
import { averagePathLength, type Trees } from './trees.ts';

/** Leaves of a lane: a tree takes as many lanes as it needs. */
const LANE_BITS = 64;
/** Lanes whose masks stand side by side, one cache line. */
export const GROUP = 8;
export const ENTRY_BYTES: number = (GROUP * LANE_BITS) / 8;
/** A lane's path lengths by bit; after them a 0, for a lane without a bit. */
export const LEAF_BYTES: number = 8 * (LANE_BITS + 1);
/** Rows put into memory at once. */
export const BLOCK = 256;

/** A tree costs as many ANDs as it has columns and lanes: beyond so many, or beyond the caches, walking it is no slower. */
const COLUMN_LANES_MAX = 72;
const BYTES_MAX = 8 << 20;
/** Entries are numbered by uint16. */
const ENTRIES_MAX = 1 << 16;

/** Sizes, and where things are in memory, bytes. */
export interface Layout {
  readonly features: number;
  readonly groups: number;
  /** Bits of a rank that each step of the search finds, first to last: fours, then perhaps a two. */
  readonly searchBits: readonly number[];
  /** float32, row-major. */
  readonly rows: number;
  /** float64, one a row. */
  readonly sums: number;
  /** int32 by column: for each step of the search, the last key of each part into which it divides. */
  readonly keys: number;
  readonly keysBytes: number;
  /** By column, uint16 by rank and group: the number of an entry, which is the masks of a group. */
  readonly cells: readonly number[];
  readonly masks: number;
  readonly leaves: number;
  readonly bytes: number;
}

interface Column {
  /** Distinct, over the whole forest, ascending. */
  readonly thresholds: Float32Array;
  /** By group of trees, the ranks at which its masks change, ascending from 0: for each an entry. */
  readonly changes: readonly Int32Array[];
  /** By group, the number of its first entry. */
  readonly entries: readonly number[];
}

export interface Tables {
  readonly layout: Layout;
  fill(memory: ArrayBuffer): void;
}

/** null where the forest's shape does not suit. */
export function maskTables(trees: Trees, features: number): Tables | null {
  const spans = leafSpans(trees);
  const { lanes } = spans;
  if (features * lanes.length > COLUMN_LANES_MAX * (trees.roots.length - 1)) return null;
  const groups = Math.ceil(lanes.length / GROUP);
  let entries = 0;
  const columns = thresholdsByColumn(trees, lanes, features, groups).map((byGroup): Column => {
    const thresholds = Float32Array.from(new Set(byGroup.flat())).sort();
    const rankAbove = new Map(Array.from(thresholds, (x, i) => [x, i + 1]));
    const changes = byGroup.map((used) => Int32Array.from(new Set([0, ...used.map((x) => rankAbove.get(x)!)])).sort());
    const first = changes.map(({ length }) => {
      entries += length;
      return entries - length;
    });
    return { thresholds, changes, entries: first };
  });
  const layout = layOut(columns, groups, entries);
  return layout && { layout, fill: (memory) => fill(trees, columns, spans, layout, memory) };
}

function thresholdsByColumn(
  { roots, feature, threshold }: Trees,
  lanes: readonly Lane[],
  features: number,
  groups: number,
): number[][][] {
  const columns = Array.from({ length: features }, () => Array.from({ length: groups }, (): number[] => []));
  for (const [l, { tree }] of lanes.entries()) {
    const g = Math.floor(l / GROUP);
    // A tree counts once a group.
    if (l % GROUP > 0 && lanes[l - 1]!.tree === tree) continue;
    for (let node = roots[tree]!; node < roots[tree + 1]!; node++) {
      // Adding zero makes −0 and 0 one threshold.
      if (feature[node]! >= 0) columns[feature[node]!]![g]!.push(threshold[node]! + 0);
    }
  }
  return columns;
}

function layOut(columns: readonly Column[], groups: number, entries: number): Layout | null {
  const features = columns.length;
  const searchBits = bitsOfSearch(Math.max(...columns.map(({ thresholds }) => thresholds.length)));
  let bytes = 0;
  const take = (length: number): number => {
    const at = bytes;
    bytes = Math.ceil((at + length) / 64) * 64;
    return at;
  };
  let keysBytes = 0;
  for (let i = 0, ranks = 1; i < searchBits.length; i++) {
    ranks <<= searchBits[i]!;
    keysBytes += 4 * ranks;
  }
  const places = {
    rows: take(4 * features * BLOCK),
    sums: take(8 * BLOCK),
    keys: take(keysBytes * features),
    cells: columns.map(({ thresholds }) => take(2 * (thresholds.length + 1) * groups)),
    masks: take(entries * ENTRY_BYTES),
    leaves: take(groups * GROUP * LEAF_BYTES),
  };
  if (entries > ENTRIES_MAX || bytes > BYTES_MAX) return null;
  return { features, groups, searchBits, keysBytes, ...places, bytes };
}

/** So many that ranks from 0 to `most` have room. */
function bitsOfSearch(most: number): number[] {
  const bits: number[] = [];
  for (let left = Math.max(1, 32 - Math.clz32(most)); left > 0; left -= 4) bits.push(left > 2 ? 4 : 2);
  return bits;
}

function fill(trees: Trees, columns: readonly Column[], spans: Spans, layout: Layout, memory: ArrayBuffer): void {
  const { groups } = layout;
  const leaves = new Float64Array(memory, layout.leaves, (groups * GROUP * LEAF_BYTES) / 8);
  for (const [f, { thresholds, changes, entries }] of columns.entries()) {
    fillKeys(thresholds, layout, new Int32Array(memory, layout.keys + f * layout.keysBytes, layout.keysBytes / 4));
    const cells = new Uint16Array(memory, layout.cells[f]!, (thresholds.length + 1) * groups);
    for (let g = 0; g < groups; g++) {
      for (let rank = 0, i = -1; rank <= thresholds.length; rank++) {
        if (changes[g]![i + 1] === rank) i++;
        cells[rank * groups + g] = entries[g]! + i;
      }
    }
  }
  const masks = new Uint32Array(memory, layout.masks, (layout.leaves - layout.masks) / 4);
  for (const [l, lane] of spans.lanes.entries()) {
    fillMasks(trees, columns, spans, l, masks);
    placeLeaves(trees, spans, lane, leaves.subarray((l * LEAF_BYTES) / 8));
  }
}

/** Above the last threshold stands a key above all. */
function fillKeys(thresholds: Float32Array, { searchBits }: Layout, keys: Int32Array): void {
  const sorted = new Int32Array(thresholds.buffer).map(orderedKey);
  let stride = 1 << searchBits.reduce((a, b) => a + b, 0);
  let at = 0;
  for (let i = 0, parts = 1; i < searchBits.length; i++) {
    parts <<= searchBits[i]!;
    stride >>= searchBits[i]!;
    for (let part = 1; part <= parts; part++) keys[at++] = sorted[part * stride - 1] ?? 0x7fffffff;
  }
}

/** A lane's mask begins with all its leaves; each split takes those that its column's values bar. */
function fillMasks(trees: Trees, columns: readonly Column[], spans: Spans, l: number, masks: Uint32Array): void {
  const { roots, feature, threshold, right } = trees;
  const { tree, first, end } = spans.lanes[l]!;
  const g = Math.floor(l / GROUP);
  const at = (entry: number): number => (entry * GROUP + (l % GROUP)) * 2;
  for (const { changes, entries } of columns) {
    for (let i = 0; i < changes[g]!.length; i++) setBits(masks, at(entries[g]! + i), 0, end - first, true);
  }
  for (let node = roots[tree]!; node < roots[tree + 1]!; node++) {
    if (feature[node]! < 0) continue;
    const { thresholds, changes, entries } = columns[feature[node]!]!;
    const ranks = changes[g]!;
    for (let i = 0; i < ranks.length; i++) {
      const above = i > 0 && threshold[node]! <= thresholds[ranks[i]! - 1]!;
      const barred = above ? node + 1 : right[node]!;
      const from = Math.max(0, spans.first[barred]! - first);
      setBits(masks, at(entries[g]! + i), from, Math.min(end, spans.end[barred]!) - first, false);
    }
  }
}

/** Bits from `from` to `to`, exclusive, of the 64 that begin at word `at`. */
function setBits(masks: Uint32Array, at: number, from: number, to: number, on: boolean): void {
  for (let bit = from; bit < to; ) {
    const next = Math.min(to, (bit | 31) + 1);
    const ones = (0xffffffff >>> (32 - (next - bit))) << (bit & 31);
    const word = at + (bit >>> 5);
    masks[word] = on ? masks[word]! | ones : masks[word]! & ~ones;
    bit = next;
  }
}

/** Leaves of a tree that one lane holds, those numbered from `first` to `end`, exclusive. */
interface Lane {
  readonly tree: number;
  readonly first: number;
  readonly end: number;
}

/** Leaves of each tree numbered from the left: those below a node are the ones from `first` to `end`, exclusive. */
interface Spans {
  readonly first: Int32Array;
  readonly end: Int32Array;
  /** Splits between the root and the node. */
  readonly depth: Int32Array;
  /** In the order of the trees. */
  readonly lanes: readonly Lane[];
}

function leafSpans({ roots, feature, right }: Trees): Spans {
  const lanes: Lane[] = [];
  const spans = {
    first: new Int32Array(feature.length),
    end: new Int32Array(feature.length),
    depth: new Int32Array(feature.length),
    lanes,
  };
  const visit = (node: number, number: number, depth: number): number => {
    spans.first[node] = number;
    spans.depth[node] = depth;
    const end = feature[node]! < 0 ? number + 1 : visit(right[node]!, visit(node + 1, number, depth + 1), depth + 1);
    spans.end[node] = end;
    return end;
  };
  for (let tree = 0; tree + 1 < roots.length; tree++) {
    const leaves = visit(roots[tree]!, 0, 0);
    for (let first = 0; first < leaves; first += LANE_BITS) {
      lanes.push({ tree, first, end: Math.min(leaves, first + LANE_BITS) });
    }
  }
  return spans;
}

function placeLeaves(trees: Trees, spans: Spans, { tree, first, end }: Lane, lengths: Float64Array): void {
  const { roots, feature, samples } = trees;
  for (let node = roots[tree]!; node < roots[tree + 1]!; node++) {
    const number = spans.first[node]!;
    if (feature[node]! >= 0 || number < first || number >= end) continue;
    lengths[number - first] = spans.depth[node]! + averagePathLength(samples[node]!);
  }
}
