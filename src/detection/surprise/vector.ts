/** The forest's vector: every standardised, log-compressed score of a trade, by name and in a fixed order. */
import { SERIES_NAMES, WINDOWS } from '../features/layout.ts';
import { VALUES } from '../features/windows.ts';
import type { Measures } from './raw-scores.ts';

/** The vector's columns: the windows' z-scores, then the present order's size in deviations and one-sided flow in nats. */
export const FEATURES: readonly string[] = [
  ...WINDOWS.flatMap((window) => SERIES_NAMES.map((series) => `${series}_${window}s`)),
  'order_size',
  'one_sided_flow',
];
export const VECTOR: number = FEATURES.length;

const float = new Float32Array(1);
const bits = new Int32Array(float.buffer);
const BITS_OF_ONE = 0x3f800000;

/** sign(x) log2(1 + |x|), by a float's bits: monotone, exact, linear between powers of two, and cheap. */
export function compress(x: number): number {
  float[0] = 1 + (x < 0 ? -x : x);
  const size = (bits[0]! - BITS_OF_ONE) / 0x800000;
  return x < 0 ? -size : size;
}

/** Fills the forest's vector (VECTOR entries): z-scores and what has none, log-compressed. */
export function fillVector({ windows, orders }: Measures, out: Float64Array): void {
  const { z } = windows;
  for (let i = 0; i < VALUES; i++) out[i] = compress(z[i]!);
  out[VALUES] = compress(orders.size);
  out[VALUES + 1] = compress(orders.buyFlow > orders.sellFlow ? orders.buyFlow : -orders.sellFlow);
}
