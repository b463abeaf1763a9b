/**
 * Path lengths without walking, after QuickScorer (Lucchese et al., SIGIR 2015). A value's rank among a column's thresholds
 * settles every split on that column at once: a table gives, by rank, the leaves that the column still allows. The AND
 * over the columns leaves one bit a tree, the leaf that the row reaches. WebAssembly SIMD does the ANDs, none of them
 * relaxed; the program is made for the forest's shape.
 *
 * Path lengths are added in the order of the trees, as the walking kernel does, and of a tree's lanes those without a
 * bit add an exact zero: one sum, bit for bit.
 */
import type { Kernel } from './kernel.ts';
import { BLOCK, ENTRY_BYTES, GROUP, type Layout, LEAF_BYTES, maskTables } from './mask-tables.ts';
import type { Trees } from './trees.ts';
import {
  type Code,
  constant,
  F64,
  get,
  I8X16,
  I16X8,
  I32,
  I32X4,
  I64,
  instantiate,
  loopWhile,
  type Program,
  set,
  tee,
  V128,
} from './wasm.ts';

/** null where the forest's shape or the engine does not suit. */
export function maskKernel(trees: Trees, features: number): Kernel | null {
  const tables = maskTables(trees, features);
  if (tables === null) return null;
  const { layout } = tables;
  const made = instantiate({ one: scoreRows(layout, 1), pairs: scoreRows(layout, 2) }, layout.bytes);
  if (made === null) return null;
  tables.fill(made.memory);
  const block = new Float32Array(made.memory, layout.rows, BLOCK * features);
  const sums = new Float64Array(made.memory, layout.sums, BLOCK);
  const { run } = made;
  return {
    pathSum(rows, offset) {
      // Adding zero turns −0 into 0, whose key is its own.
      for (let f = 0; f < features; f++) block[f] = rows[offset + f]! + 0;
      run.one(1);
      return sums[0]!;
    },
    pathSums(rows, out) {
      const total = rows.length / features;
      for (let first = 0; first < total; first += BLOCK) {
        const count = Math.min(BLOCK, total - first);
        const start = first * features;
        for (let i = 0; i < count * features; i++) block[i] = rows[start + i]! + 0;
        if (count === 1) run.one(1);
        else run.pairs(count);
        for (let i = 0; i < count; i++) out[first + i] = sums[i]!;
      }
    },
  };
}

/** Of a group's masks. */
const VECTOR_BYTES = 16;
const VECTORS = ENTRY_BYTES / VECTOR_BYTES;

/** The one parameter is the number of rows, 1 or more. */
const COUNT = 0;
const ROW = 1;
const SUM_AT = 2;
const GROUP_AT = 3;
const LEAVES_AT = 4;
const ENTRY = 5;
/** From here on what each row at hand has of its own. */
const OWN = 6;

/** Locals of one of the rows at hand: its sum, a rank a column, the masks of a group. */
interface Locals {
  readonly sum: number;
  readonly ranks: number;
  readonly masks: number;
}

/**
 * Rows `atOnce` at a time, the last filled up with whatever stands behind it. Each addition to a sum waits for the one
 * before: those of another row's sum fill the time (more than two at once gain nothing).
 */
function scoreRows(layout: Layout, atOnce: 1 | 2): Program {
  const { features, groups } = layout;
  const columns = Array.from({ length: features }, (_, f) => f);
  const lanes = Array.from({ length: GROUP }, (_, i) => i);
  const key = OWN + atOnce * (1 + features + VECTORS);
  const rows = Array.from({ length: atOnce }, (_, r): Locals => {
    const ranks = OWN + atOnce + r * features;
    return { sum: OWN + r, ranks, masks: OWN + atOnce * (1 + features) + r * VECTORS };
  });
  return {
    parameters: ['i32'],
    locals: [
      ...(['i32', 'i32', 'i32', 'i32', 'i32'] as const),
      ...rows.map(() => 'f64' as const),
      ...rows.flatMap(() => columns.map(() => 'i32' as const)),
      ...rows.flatMap(() => lanes.slice(0, VECTORS).map(() => 'v128' as const)),
      'v128',
    ],
    body: [
      loopWhile(
        ...rows.flatMap(({ ranks }, r) => columns.map((f) => findRank(layout, f, r, ranks + f, key))),
        [...constant(0), ...set(GROUP_AT), ...constant(0), ...set(LEAVES_AT)],
        ...rows.map(({ sum }) => [...F64.zero, ...set(sum)]),
        loopWhile(
          ...rows.flatMap(({ ranks, masks }) => columns.map((f) => narrow(layout, f, ranks + f, masks))),
          ...lanes.flatMap((i) => rows.map((row) => addLeaf(layout, i, row))),
          advance(LEAVES_AT, GROUP * LEAF_BYTES),
          advance(GROUP_AT, 2),
          [...get(GROUP_AT), ...constant(2 * groups), ...I32.lessUnsigned],
        ),
        ...rows.map(({ sum }, r) => [...get(SUM_AT), ...get(sum), ...F64.store(layout.sums + 8 * r)]),
        advance(ROW, 4 * features * atOnce),
        advance(SUM_AT, 8 * atOnce),
        [...get(SUM_AT), ...get(COUNT), ...constant(3), ...I32.shl, ...I32.lessUnsigned],
      ),
    ],
  };
}

function advance(local: number, by: number): Code {
  return [...get(local), ...constant(by), ...I32.add, ...set(local)];
}

/**
 * Counts the column's thresholds below the value, on integers of the same order, and leaves where the rank's cells begin.
 * Each step compares with the last keys of sixteen (or four) parts at once; as they ascend, the count is the part.
 */
function findRank(layout: Layout, f: number, r: number, rank: number, key: number): Code {
  const { features, groups, searchBits } = layout;
  const code: number[] = [
    ...get(ROW),
    ...I32.load(layout.rows + 4 * (r * features + f)),
    ...tee(rank),
    ...get(rank),
    ...constant(31),
  ];
  code.push(...I32.shiftRight, ...constant(0x7fffffff), ...I32.and, ...I32.xor, ...I32X4.splat, ...set(key));
  code.push(...constant(0), ...set(rank));
  let keys = layout.keys + f * layout.keysBytes;
  let ranks = 1;
  for (const bits of searchBits) {
    const isAbove = (i: number): Code => {
      const at = [...get(rank), ...constant(bits + 2), ...I32.shl];
      return [...get(key), ...at, ...V128.load(keys + VECTOR_BYTES * i), ...I32X4.greater];
    };
    code.push(...get(rank), ...constant(bits), ...I32.shl);
    if (bits === 2) code.push(...isAbove(0), ...I32X4.bitmask);
    else {
      const halves = [0, 2].flatMap((i) => [...isAbove(i), ...isAbove(i + 1), ...I16X8.narrow]);
      code.push(...halves, ...I8X16.narrow, ...I8X16.bitmask);
    }
    code.push(...I32.ones, ...I32.add, ...set(rank));
    ranks <<= bits;
    keys += 4 * ranks;
  }
  code.push(...get(rank), ...constant(2 * groups), ...I32.mul, ...set(rank));
  return code;
}

/** ANDs the masks that column `f` allows a group of trees into the vectors; the first column sets them. */
function narrow(layout: Layout, f: number, rank: number, masks: number): Code {
  const code: number[] = [...get(rank), ...get(GROUP_AT), ...I32.add, ...I32.load16(layout.cells[f]!)];
  code.push(...constant(31 - Math.clz32(ENTRY_BYTES)), ...I32.shl, ...set(ENTRY));
  for (let i = 0; i < VECTORS; i++) {
    const word = masks + i;
    code.push(...get(ENTRY), ...V128.load(layout.masks + VECTOR_BYTES * i));
    if (f > 0) code.push(...get(word), ...V128.and);
    code.push(...set(word));
  }
  return code;
}

/** Adds the path length at the bit of a lane, of an empty lane 0. */
function addLeaf({ leaves }: Layout, lane: number, { sum, masks }: Locals): Code {
  const vector = masks + (lane >> 1);
  return [
    ...get(sum),
    ...get(LEAVES_AT),
    ...[...get(vector), ...V128.lane((lane & 1) as 0 | 1), ...I64.trailingZeros],
    ...[...I32.wrap, ...constant(3), ...I32.shl, ...I32.add],
    ...[...F64.load(leaves + lane * LEAF_BYTES), ...F64.add, ...set(sum)],
  ];
}
