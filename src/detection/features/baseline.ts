/**
 * Exponentially weighted mean and variance with bias-corrected weights, in Welford's safe form (West 1979): the mean of
 * squares less the squared mean is 60 % wrong on one-cent moves around 65,000.
 */

/** Weight of a mean after one more sample. */
export function nextWeight(weight: number, decay: number): number {
  return weight * decay + 1;
}

/** Absorbs one sample into `mean[i]`, `variance[i]`; `weight` already counts it. */
export function absorb(mean: Float64Array, variance: Float64Array, i: number, sample: number, weight: number): void {
  const a = 1 / weight;
  const delta = sample - mean[i]!;
  mean[i] = mean[i]! + a * delta;
  variance[i] = (1 - a) * (variance[i]! + a * delta * delta);
}

/**
 * Absorbs zeros all at once: `kept` is the share of the weight that the history before them keeps.
 * Two groups merge as in Chan, Golub, LeVeque 1979; the second has mean and variance 0.
 */
export function absorbZeros(mean: Float64Array, variance: Float64Array, i: number, kept: number): void {
  const m = mean[i]!;
  mean[i] = m * kept;
  variance[i] = variance[i]! * kept + m * m * kept * (1 - kept);
}
