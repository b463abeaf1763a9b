/** Longer arrays are made anew: what is kept stays as long as the process. */
const KEPT_MAX = 32_768;

/**
 * An array used again by each request, for what is synchronous from the request's bytes to the answer's: malloc and the
 * garbage collector cost more than filling it.
 */
export class Scratch {
  #all = new Float64Array(64);
  #given = this.#all;

  /** With whatever stands in it; until the next call. */
  of(length: number): Float64Array {
    if (length > KEPT_MAX) return new Float64Array(length);
    if (length > this.#all.length) this.#all = new Float64Array(KEPT_MAX);
    if (length !== this.#given.length) this.#given = this.#all.subarray(0, length);
    return this.#given;
  }
}
