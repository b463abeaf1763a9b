/** Confidence intervals of counts, two-sided, 95 %. */

export type Interval = readonly [low: number, high: number];

const Z = 1.959963984540054;
const TAIL = 0.025;

/**
 * Wilson's score interval (Wilson 1927) of a share: `hits` of `of`. It keeps its coverage for the few events that labelled
 * tapes have, also at 0 and 1 (Brown, Cai, DasGupta 2001). [0, 1] for none of none.
 */
export function shareInterval(hits: number, of: number): Interval {
  if (of === 0) return [0, 1];
  const share = hits / of;
  const z2 = (Z * Z) / of;
  const centre = share + z2 / 2;
  const spread = Z * Math.sqrt((share * (1 - share)) / of + z2 / of / 4);
  return [Math.max(0, (centre - spread) / (1 + z2)), Math.min(1, (centre + spread) / (1 + z2))];
}

/** The exact interval of a Poisson rate (Garwood 1936): `count` events in `exposure`, per unit of exposure. */
export function rateInterval(count: number, exposure: number): Interval {
  const low = count === 0 ? 0 : bisect((mean) => 1 - poissonBelow(count, mean) < TAIL, count);
  const high = bisect((mean) => poissonBelow(count + 1, mean) > TAIL, count + 10 * Math.sqrt(count + 1) + 10);
  return [low / exposure, high / exposure];
}

/** The chance of fewer than `count` events where `mean` are expected. */
function poissonBelow(count: number, mean: number): number {
  let term = -mean;
  let sum = 0;
  // In logarithms, so that large means don't vanish.
  for (let k = 0; k < count; k++) {
    sum += Math.exp(term);
    term += Math.log(mean) - Math.log(k + 1);
  }
  return Math.min(1, sum);
}

/** The greatest value in [0, `high`] for which `holds`, which holds below it and not above. */
function bisect(holds: (value: number) => boolean, high: number): number {
  let from = 0;
  let to = high;
  for (let i = 0; i < 60; i++) {
    const middle = (from + to) / 2;
    if (holds(middle)) from = middle;
    else to = middle;
  }
  return from;
}
