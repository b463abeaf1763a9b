/** Batches records to the log: by size or after a few ms, one append at a time so that order holds, bounded in bytes. */
import type { EventLog, NewRecord } from '../event-log/event-log.ts';
import type { Clock } from '../transport/transport.ts';

const BATCH_RECORDS = 2000;
const LINGER_MS = 5;
const QUEUED_BYTES_MAX = 16 << 20;
const RETRY_MS = 500;

export interface WriterHandlers {
  /** The log can't keep up (true), or can again. */
  pressure(on: boolean): void;
  /** An append failed; it is tried again. */
  failed(error: unknown): void;
}

export class Writer {
  readonly #log: EventLog;
  readonly #clock: Clock;
  readonly #handlers: WriterHandlers;
  #queue: NewRecord[] = [];
  #bytes = 0;
  #running: Promise<void> | null = null;
  #pressed = false;
  #closing = false;

  constructor(log: EventLog, clock: Clock, handlers: WriterHandlers) {
    this.#log = log;
    this.#clock = clock;
    this.#handlers = handlers;
  }

  push(record: NewRecord): void {
    this.#queue.push(record);
    this.#bytes += record.value?.length ?? 0;
    if (this.#bytes > QUEUED_BYTES_MAX && !this.#pressed) {
      this.#pressed = true;
      this.#handlers.pressure(true);
    }
    this.#running ??= this.#run();
  }

  /** Resolves when nothing waits: everything pushed is in the log. */
  async flush(): Promise<void> {
    while (this.#running) await this.#running;
  }

  /** The last flush: it ends where the log refuses. What is lost then was never acknowledged, and the next start fetches it. */
  async close(): Promise<void> {
    this.#closing = true;
    await this.flush();
  }

  async #run(): Promise<void> {
    await this.#clock.sleep(LINGER_MS);
    while (this.#queue.length > 0) {
      const batch = this.#queue.slice(0, BATCH_RECORDS);
      try {
        await this.#log.append(batch);
      } catch (error) {
        this.#handlers.failed(error);
        if (this.#closing) break;
        await this.#clock.sleep(RETRY_MS);
        continue;
      }
      this.#queue.splice(0, batch.length);
      for (const { value } of batch) this.#bytes -= value?.length ?? 0;
      if (this.#pressed && this.#bytes < QUEUED_BYTES_MAX / 2) {
        this.#pressed = false;
        this.#handlers.pressure(false);
      }
    }
    this.#running = null;
  }
}
