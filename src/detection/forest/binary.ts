/**
 * The compact form of a forest, little-endian: a head of 28 bytes, the column of every node in preorder (int16, -1 for a
 * leaf), the threshold of every split (float32), the training rows of every leaf (uint32). Roots, right children and the
 * rows of a split follow from the order.
 */
import type { ForestJson } from './index.ts';

/** "IFB1". */
const MAGIC = 0x31424649;
const HEAD_BYTES = 28;

export function encodeForest(forest: Omit<ForestJson, 'format'>): Uint8Array<ArrayBuffer> {
  const { feature, split, samples } = forest;
  const leaves = feature.filter((column) => column < 0).length;
  const bytes = new Uint8Array(HEAD_BYTES + 2 * feature.length + 4 * (feature.length - leaves) + 4 * leaves);
  const view = new DataView(bytes.buffer);
  const head = [MAGIC, forest.features, forest.sampleSize, forest.roots.length - 1, feature.length];
  for (const [i, value] of head.entries()) view.setUint32(4 * i, value, true);
  view.setFloat64(20, forest.threshold, true);
  let at = HEAD_BYTES;
  for (const column of feature) {
    view.setInt16(at, column, true);
    at += 2;
  }
  for (const [node, threshold] of split.entries()) {
    if (feature[node]! < 0) continue;
    view.setFloat32(at, threshold, true);
    at += 4;
  }
  for (const [node, count] of samples.entries()) {
    if (feature[node]! >= 0) continue;
    view.setUint32(at, count, true);
    at += 4;
  }
  return bytes;
}

/** null where the bytes are not those of a forest; what they say is yet to be checked. */
export function decodeForest(bytes: Uint8Array): Omit<ForestJson, 'format'> | null {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < HEAD_BYTES || view.getUint32(0, true) !== MAGIC) return null;
  const [features, sampleSize, trees, nodes] = [4, 8, 12, 16].map((at) => view.getUint32(at, true)) as FourNumbers;
  if (bytes.length !== HEAD_BYTES + 6 * nodes) return null;
  const feature = Array.from({ length: nodes }, (_, node) => view.getInt16(HEAD_BYTES + 2 * node, true));
  const leaves = feature.filter((column) => column < 0).length;
  let thresholdAt = HEAD_BYTES + 2 * nodes;
  let samplesAt = thresholdAt + 4 * (nodes - leaves);
  const roots: number[] = [];
  const split = new Array<number>(nodes).fill(0);
  const right = new Array<number>(nodes).fill(0);
  const samples = new Array<number>(nodes).fill(0);
  /** Splits whose left side is being read. */
  const open: number[] = [];
  /** Splits whose both sides are known, to be summed from the last to the first. */
  let atRoot = true;
  for (let node = 0; node < nodes; node++) {
    if (atRoot) roots.push(node);
    atRoot = false;
    if (feature[node]! >= 0) {
      split[node] = view.getFloat32(thresholdAt, true);
      thresholdAt += 4;
      open.push(node);
      continue;
    }
    samples[node] = view.getUint32(samplesAt, true);
    samplesAt += 4;
    const parent = open.pop();
    if (parent === undefined) atRoot = true;
    else right[parent] = node + 1;
  }
  if (roots.length !== trees || !atRoot) return null;
  for (let node = nodes - 1; node >= 0; node--) {
    if (feature[node]! >= 0) samples[node] = samples[node + 1]! + samples[right[node]!]!;
  }
  return {
    features,
    sampleSize,
    threshold: view.getFloat64(20, true),
    roots: [...roots, nodes],
    feature,
    split,
    right,
    samples,
  };
}

type FourNumbers = [number, number, number, number];
