/** Time for metrics and the Date header alone: nothing that is decided may depend on it. */

/** Milliseconds since some moment. */
export const elapsedMs = (): number => performance.now();

let second = 0;
let date = '';

/** As the Date header wants it, made once a second. */
export function httpDate(): string {
  const now = Math.floor(Date.now() / 1000);
  if (now !== second) {
    second = now;
    date = new Date(now * 1000).toUTCString();
  }
  return date;
}
