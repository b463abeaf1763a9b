/**
 * float32 numbers as integers of the same order. Where a threshold's key is odd, x > threshold is key(x) >> 1 >
 * key(threshold) >> 1: one bit is free, and differences of such keys fit an int32.
 */

const float = new Float32Array(1);
const int = new Int32Array(float.buffer);

/** The key of float32 bits. */
export function orderedKey(bits: number): number {
  return bits ^ ((bits >> 31) & 0x7fffffff);
}

export function hasOddKey(x: number): boolean {
  float[0] = x + 0;
  return (orderedKey(int[0]!) & 1) === 1;
}

/** The least float32 of odd key that is at least x, so that what was at or below x still is. */
export function raiseToOddKey(x: number): number {
  float[0] = x + 0;
  int[0] = orderedKey(orderedKey(int[0]!) | 1);
  return float[0]!;
}
