/** Times of the exchange, in ms or, where asked for with `timeUnit=MICROSECOND` and in dumps from 2025 on, in µs. */

/** From here on a time is in µs: in ms it would be the year 5138. */
const MICROSECONDS_FROM = 1e14;

export function inUs(time: number): number {
  return time >= MICROSECONDS_FROM ? time : time * 1000;
}
