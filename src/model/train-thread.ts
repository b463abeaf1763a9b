/** Training in a thread of its own, so that who asks for it goes on with other work: a running system trains on its log. */
import { Worker } from 'node:worker_threads';
import { type ErrorCode, TapewatchError } from '../market/error.ts';

export interface ThreadTraining {
  /** The tape from its beginning at each call: lines of Tapewatch's own NDJSON, in chunks that end with a line. */
  readonly chunks: () => AsyncIterable<Uint8Array<ArrayBuffer>>;
  readonly seed: number;
  readonly command: string;
  /** Ends the thread; the training rejects with `aborted`. */
  readonly signal: AbortSignal;
}

export interface TrainingOrder {
  readonly seed: number;
  readonly command: string;
}

/** A chunk, or null at the tape's end. */
export type ToTraining = Uint8Array<ArrayBuffer> | null;
export type FromTraining =
  /** The tape is wanted, from its beginning. */
  | { readonly kind: 'read' }
  /** A chunk was used. */
  | { readonly kind: 'used' }
  | { readonly kind: 'trained'; readonly artefact: string }
  | { readonly kind: 'failed'; readonly code: ErrorCode; readonly message: string };

const WAITING_MAX = 4;

/** The artefact's file, the same bytes as `train` gives for the same records and seed. @throws what `train` throws. */
export async function trainInThread(training: ThreadTraining): Promise<string> {
  const { seed, command, signal } = training;
  if (signal.aborted) throw new TapewatchError('aborted', 'Training was stopped.');
  const file = import.meta.url.endsWith('.ts') ? './train-worker.ts' : './train-worker.js';
  const workerData: TrainingOrder = { seed, command };
  const worker = new Worker(new URL(file, import.meta.url), { workerData });
  const trained = Promise.withResolvers<string>();
  const feed = new Feed(worker, training.chunks);
  worker.on('message', (message: FromTraining) => {
    if (message.kind === 'read') feed.read().catch(trained.reject);
    else if (message.kind === 'used') feed.used();
    else if (message.kind === 'trained') trained.resolve(message.artefact);
    else trained.reject(new TapewatchError(message.code, message.message));
  });
  worker.once('error', trained.reject);
  const abort = (): void => trained.reject(new TapewatchError('aborted', 'Training was stopped.'));
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await trained.promise;
  } finally {
    signal.removeEventListener('abort', abort);
    feed.stop();
    await worker.terminate();
  }
}

class Feed {
  readonly #worker: Worker;
  readonly #chunks: ThreadTraining['chunks'];
  #waiting = 0;
  #stopped = false;
  #wake: () => void = () => undefined;

  constructor(worker: Worker, chunks: ThreadTraining['chunks']) {
    this.#worker = worker;
    this.#chunks = chunks;
  }

  async read(): Promise<void> {
    for await (const chunk of this.#chunks()) {
      while (this.#waiting >= WAITING_MAX && !this.#stopped) {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
      if (this.#stopped) return;
      this.#waiting++;
      this.#worker.postMessage(chunk satisfies ToTraining);
    }
    this.#worker.postMessage(null satisfies ToTraining);
  }

  used(): void {
    this.#waiting--;
    this.#wake();
  }

  stop(): void {
    this.#stopped = true;
    this.#wake();
  }
}
