/**
 * What the exchange allows one address (rest-api.md "IP Limits", web-socket-streams.md "WebSocket Limits"): request weight a
 * minute, told by its answers, and connection attempts in five minutes. Whoever asks for more waits here, first come, first
 * served.
 */
import type { Clock } from '../../transport/transport.ts';

/** Of 6,000 a minute: the rest is left to others on this address. */
const WEIGHT_MAX = 5000;
const MINUTE_MS = 60_000;
/** Of 300 in five minutes. */
const ATTEMPTS_MAX = 250;
const ATTEMPTS_MS = 5 * MINUTE_MS;

export class WeightBudget {
  readonly #clock: Clock;
  readonly #waiting: (ms: number, status: number) => void;
  #spent = 0;
  #inFlight = 0;
  #minute = 0;
  #notBefore = 0;

  /** `waiting` hears how long requests have to wait, ms, and for which HTTP status (0: for the budget). */
  constructor(clock: Clock, waiting: (ms: number, status: number) => void) {
    this.#clock = clock;
    this.#waiting = waiting;
  }

  /** Resolves when a request of `weight` may go out; `spent` has to follow. */
  async take(weight: number, signal: AbortSignal): Promise<void> {
    for (;;) {
      const now = this.#clock.now();
      const minute = Math.floor(now / MINUTE_MS);
      if (minute !== this.#minute) this.#spent = 0;
      this.#minute = minute;
      const free = this.#spent + this.#inFlight + weight <= WEIGHT_MAX;
      if (!free && this.#notBefore <= now) this.holdOff((minute + 1) * MINUTE_MS - now, 0);
      if (free && this.#notBefore <= now) break;
      await this.#clock.sleep(this.#notBefore - now, signal);
    }
    this.#inFlight += weight;
  }

  /** A request of `weight` is over; `used` is what the exchange has counted this minute, null where it did not say. */
  spent(weight: number, used: number | null): void {
    this.#inFlight -= weight;
    this.#spent = used ?? this.#spent + weight;
  }

  /** No request goes out for `ms`. */
  holdOff(ms: number, status: number): void {
    const until = this.#clock.now() + ms;
    if (until <= this.#notBefore) return;
    this.#notBefore = until;
    this.#waiting(ms, status);
  }
}

export class ConnectionBudget {
  readonly #clock: Clock;
  /** When the last attempts were made, oldest first. */
  #attempts: number[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Resolves when a connection may be tried; rejects with `aborted`. */
  async take(signal: AbortSignal): Promise<void> {
    for (;;) {
      const now = this.#clock.now();
      this.#attempts = this.#attempts.filter((at) => now - at < ATTEMPTS_MS);
      if (this.#attempts.length < ATTEMPTS_MAX) break;
      await this.#clock.sleep(this.#attempts[0]! + ATTEMPTS_MS - now, signal);
    }
    this.#attempts.push(this.#clock.now());
  }
}
