/**
 * Isolation Forest (Liu, Ting, Zhou 2008), a library of its own: `import { IsolationForest } from 'tapewatch/forest'`.
 * Rows are flat, row-major; values are cast to float32 before they meet a threshold, as scikit-learn does.
 * Scores are 2^(−E[h(x)] / c(ψ)) in (0, 1): high is anomalous.
 */
import { TapewatchError } from '../../market/error.ts';
import { exp, LN2, log2 } from '../math.ts';
import { decodeForest, encodeForest } from './binary.ts';
import { type Kernel, makeKernel } from './kernel.ts';
import { readOnnx } from './onnx/read.ts';
import { writeOnnx } from './onnx/write.ts';
import { averagePathLength, grow, type Rows, type Trees } from './trees.ts';

export type { Rows };

export interface FitOptions {
  /** Columns of a row. */
  readonly features: number;
  /** Default 100. */
  readonly trees?: number;
  /** Rows a tree is grown on, ψ; default 256, at most the number of rows. */
  readonly sampleSize?: number;
  /** Share of the columns a tree may split on, in (0, 1]; default 1. */
  readonly maxFeatures?: number;
  /** Share of the training rows taken to be anomalous; sets `threshold`. */
  readonly contamination?: number;
  /** Default 0. */
  readonly seed?: number;
}

export interface ForestJson {
  readonly format: string;
  readonly features: number;
  readonly sampleSize: number;
  readonly threshold: number;
  readonly roots: readonly number[];
  readonly feature: readonly number[];
  readonly split: readonly number[];
  readonly right: readonly number[];
  readonly samples: readonly number[];
}

const FORMAT = 'isolation-forest/1';
/** Columns are numbered by int16. */
const FEATURES_MAX = 32_767;
/** Levels of a tree that a file may bring: its walks recurse. */
const DEPTH_MAX = 1000;

export class IsolationForest {
  readonly features: number;
  readonly sampleSize: number;
  /** Score above which a row counts as an anomaly: 0.5, or as `contamination` set it. */
  readonly threshold: number;
  readonly #trees: Trees;
  #kernel: Kernel | null = null;
  #surprisals: Float64Array | null = null;
  readonly #scale: number;

  private constructor(trees: Trees, features: number, sampleSize: number, threshold: number) {
    this.#trees = trees;
    this.features = features;
    this.sampleSize = sampleSize;
    this.threshold = threshold;
    this.#scale = -LN2 / ((trees.roots.length - 1) * Math.max(1, averagePathLength(sampleSize)));
  }

  get trees(): number {
    return this.#trees.roots.length - 1;
  }

  /** @throws TapewatchError `rows_invalid` naming the row and column that can't be used. */
  static fit(rows: Rows, options: FitOptions): IsolationForest {
    const { features, trees = 100, sampleSize = 256, maxFeatures = 1, contamination, seed = 0 } = options;
    if (!isCount(features, FEATURES_MAX)) throw invalid(`features must be a whole number from 1 to ${FEATURES_MAX}`);
    if (!Number.isInteger(trees) || trees < 1) throw invalid('trees must be a whole number of 1 or more');
    if (!Number.isInteger(sampleSize) || sampleSize < 1)
      throw invalid('sampleSize must be a whole number of 1 or more');
    if (!(maxFeatures > 0 && maxFeatures <= 1)) throw invalid('maxFeatures must be above 0 and at most 1');
    if (contamination !== undefined && !(contamination > 0 && contamination < 1)) {
      throw invalid('contamination must lie between 0 and 1');
    }
    const count = checkRows(rows, features);
    if (count === 0) throw invalid('there is no row to fit on');
    const sample = Math.min(sampleSize, count);
    const columns = Math.max(1, Math.floor(maxFeatures * features));
    const grown = grow(Float32Array.from(rows), { features, trees, sampleSize: sample, columns, seed });
    const forest = new IsolationForest(grown, features, sample, 0.5);
    if (contamination === undefined) return forest;
    const scores = forest.score(rows).sort();
    const cut = scores[Math.max(0, Math.ceil(scores.length * (1 - contamination)) - 1)]!;
    return new IsolationForest(grown, features, sample, cut);
  }

  /** One score a row; into `out` where given, then nothing is allocated. */
  score(rows: Rows, out: Float64Array = new Float64Array(rows.length / this.features)): Float64Array {
    const count = checkRows(rows, this.features);
    if (out.length < count) throw invalid(`out has ${out.length} places for ${count} rows`);
    this.#paths.pathSums(rows, out);
    for (let i = 0; i < count; i++) out[i] = exp(this.#scale * out[i]!);
    return out;
  }

  /** Score of the row that begins at `offset`; values are taken as they are, unchecked. */
  scoreOne(rows: Rows, offset = 0): number {
    return exp(this.#scale * this.#paths.pathSum(rows, offset));
  }

  /** Mean path length over the trees, one a row. */
  pathLengths(rows: Rows, out: Float64Array = new Float64Array(rows.length / this.features)): Float64Array {
    const count = checkRows(rows, this.features);
    if (out.length < count) throw invalid(`out has ${out.length} places for ${count} rows`);
    this.#paths.pathSums(rows, out);
    for (let i = 0; i < count; i++) out[i] = out[i]! / this.trees;
    return out;
  }

  /**
   * Each feature's part in the isolation of one row; parts sum to one. A split is credited with the surprise of the branch
   * taken, log2(parent / child) bits beyond the one bit of an even split, as in the surprisal of a path through the tree.
   */
  attribute(row: Rows, out: Float64Array = new Float64Array(this.features)): Float64Array {
    checkRows(row, this.features);
    const { roots, feature, threshold, right } = this.#trees;
    this.#surprisals ??= surprisals(this.#trees);
    const bits = this.#surprisals;
    out.fill(0);
    for (let t = 0; t + 1 < roots.length; t++) {
      let node = roots[t]!;
      for (let column = feature[node]!; column >= 0; column = feature[node]!) {
        node = Math.fround(row[column]!) <= threshold[node]! ? node + 1 : right[node]!;
        if (bits[node]! > 1) out[column] = out[column]! + bits[node]! - 1;
      }
    }
    let total = 0;
    for (let f = 0; f < this.features; f++) total += out[f]!;
    for (let f = 0; f < this.features; f++) out[f] = total > 0 ? out[f]! / total : 1 / this.features;
    return out;
  }

  toJSON(): ForestJson {
    const { roots, feature, threshold, right, samples } = this.#trees;
    return {
      format: FORMAT,
      features: this.features,
      sampleSize: this.sampleSize,
      threshold: this.threshold,
      roots: [...roots],
      feature: [...feature],
      // Nine digits name a float32.
      split: [...threshold].map((x) => Number(x.toPrecision(9))),
      right: [...right],
      samples: [...samples],
    };
  }

  /** @throws TapewatchError `model_invalid` that says what is wrong with it. */
  static fromJSON(json: unknown): IsolationForest {
    const source = json as Partial<ForestJson> | null;
    if (typeof source !== 'object' || source === null || source.format !== FORMAT) throw bad(`format is not ${FORMAT}`);
    return IsolationForest.#from(source);
  }

  /** Six bytes a node, little-endian (binary.ts). */
  toBytes(): Uint8Array<ArrayBuffer> {
    return encodeForest(this.toJSON());
  }

  /** @throws TapewatchError `model_invalid`. */
  static fromBytes(bytes: Uint8Array): IsolationForest {
    const source = decodeForest(bytes);
    if (source === null) throw bad('these are not the bytes of a forest');
    return IsolationForest.#from(source);
  }

  /** An ONNX model: input `rows`, float32 by row and column; output `scores`, one a row, within 1e-5 of ours. */
  toONNX(): Uint8Array<ArrayBuffer> {
    return writeOnnx(this.toJSON());
  }

  /**
   * From an ONNX model: one that `toONNX` wrote, or scikit-learn's IsolationForest as skl2onnx converts it (score here is
   * −score_samples there, threshold −offset_). @throws TapewatchError `model_invalid`.
   */
  static fromONNX(bytes: Uint8Array): IsolationForest {
    return IsolationForest.#from(readOnnx(bytes));
  }

  static #from(source: Partial<ForestJson>): IsolationForest {
    const { features, sampleSize, threshold } = source;
    const column = (name: 'roots' | 'feature' | 'split' | 'right' | 'samples'): readonly number[] => {
      const values = source[name];
      if (!Array.isArray(values) || !values.every(Number.isFinite)) throw bad(`${name} is not a list of numbers`);
      return values;
    };
    if (!isCount(features, FEATURES_MAX)) throw bad(`features is not a whole number from 1 to ${FEATURES_MAX}`);
    if (!isCount(sampleSize, 0x7fffffff)) throw bad('sampleSize is not a whole number of 1 or more');
    if (!Number.isFinite(threshold)) throw bad('threshold is not a number');
    const trees: Trees = {
      roots: Int32Array.from(column('roots')),
      feature: Int16Array.from(column('feature')),
      threshold: Float32Array.from(column('split')),
      right: Int32Array.from(column('right')),
      samples: Int32Array.from(column('samples')),
    };
    checkTrees(trees, features);
    return new IsolationForest(trees, features, sampleSize, threshold!);
  }

  /** Made when first asked for: a forest that is only read and written needs none. */
  get #paths(): Kernel {
    this.#kernel ??= makeKernel(this.#trees, this.features);
    return this.#kernel;
  }
}

/** By node, how many bits its parent's rows tell by going there; made once, as a logarithm costs more than the walk. */
function surprisals({ feature, right, samples }: Trees): Float64Array {
  const bits = new Float64Array(feature.length);
  for (let node = 0; node < feature.length; node++) {
    if (feature[node]! < 0) continue;
    for (const child of [node + 1, right[node]!]) bits[child] = log2(samples[node]! / Math.max(1, samples[child]!));
  }
  return bits;
}

/** Nodes are in preorder within their trees, so that no file can make a walk endless; a split's rows are its children's. */
function checkTrees(trees: Trees, features: number): void {
  const { roots, feature, threshold, right, samples } = trees;
  const nodes = feature.length;
  if (roots.length < 2 || roots[0] !== 0 || roots[roots.length - 1] !== nodes) throw bad('roots do not fit the nodes');
  if (threshold.length !== nodes || right.length !== nodes || samples.length !== nodes)
    throw bad('columns differ in length');
  for (let t = 0; t + 1 < roots.length; t++) {
    if (!(roots[t]! < roots[t + 1]!)) throw bad(`tree ${t} has no node`);
    /** Where the right sides begin that are yet to come, and where the tree ends. */
    const due = [roots[t + 1]!];
    for (let node = roots[t]!; node < roots[t + 1]!; node++) {
      if (feature[node]! >= features) throw bad(`node ${node} splits on a column that is not there`);
      if (samples[node]! < 0) throw bad(`node ${node} has fewer than no rows`);
      if (feature[node]! < 0) {
        if (due.pop() !== node + 1) throw bad(`node ${node} does not end where its parent says`);
        continue;
      }
      if (!(right[node]! > node + 1 && right[node]! < due.at(-1)!)) throw bad(`node ${node} points outside its tree`);
      if (samples[node] !== samples[node + 1]! + samples[right[node]!]!) {
        throw bad(`node ${node} does not have the rows of its children`);
      }
      if (due.push(right[node]!) > DEPTH_MAX) throw bad(`a tree is deeper than ${DEPTH_MAX}`);
    }
  }
}

function isCount(value: unknown, most: number): value is number {
  return Number.isInteger(value) && (value as number) >= 1 && (value as number) <= most;
}

function bad(what: string): TapewatchError {
  return new TapewatchError('model_invalid', `The forest can't be used: ${what}.`);
}

function checkRows(rows: Rows, features: number): number {
  if (rows.length % features !== 0) {
    throw invalid(`${rows.length} values are not a whole number of rows of ${features} columns`);
  }
  for (let i = 0; i < rows.length; i++) {
    if (!Number.isFinite(rows[i]!)) {
      throw invalid(`row ${Math.floor(i / features)}, column ${i % features} is ${rows[i]}`);
    }
  }
  return rows.length / features;
}

function invalid(reason: string): TapewatchError {
  return new TapewatchError('rows_invalid', `Isolation Forest: ${reason}.`);
}
