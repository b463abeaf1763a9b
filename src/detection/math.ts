/**
 * The transcendental functions of detection. V8 computes them by its own port of fdlibm, alike on every platform; they
 * stand here so that one file has to change should an engine ever differ.
 */
export const exp: (x: number) => number = Math.exp;
/** Natural logarithm. */
export const log: (x: number) => number = Math.log;
export const log2: (x: number) => number = Math.log2;
export const LN2: number = Math.LN2;
export const LN10: number = Math.LN10;
