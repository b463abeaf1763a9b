/**
 * A tape over several threads, divided by symbol: one thread reads once and keeps some symbols, the others are sent theirs.
 * A symbol's output is a function of its own records, so that the division changes no byte.
 */
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { artefactToJson } from '../detection/artefact.ts';
import { isTrade, type TapeRecord } from '../market/records.ts';
import { Step, type StepOptions, type StepResult } from './step.ts';
import { Packer } from './wire.ts';
import type { FromWorker, ToWorker, WorkerOrder } from './worker.ts';

/** Records that are read before symbols are given out, by how busy they are. A tape that ends before is not divided. */
const LOOK_AHEAD = 100_000;
/**
 * Trades from which other threads are worth their cost where nobody asked for them: on two busy cores a divided run takes
 * 4 to 15 % more CPU, and up to here half a minute on one.
 */
const WORTH_TRADES = 10_000_000;
/** What reading a trade costs, as a share of detecting on it. */
const READING = 0.2;
/** Parcels a thread may have waiting. */
const WAITING_MAX = 6;

/** `threads` counts the one that calls; `share` tells what part of the tape has been read, where that is to decide. */
export async function dividedStep(
  tape: AsyncIterable<readonly TapeRecord[]>,
  options: StepOptions,
  threads: number,
  share?: () => number,
): Promise<StepResult[]> {
  const step = new Step(options);
  const batches = tape[Symbol.asyncIterator]();
  const ahead: (readonly TapeRecord[])[] = [];
  let whole = false;
  for (let read = 0; read < LOOK_AHEAD; ) {
    const next = await batches.next();
    whole = next.done === true;
    if (next.done) break;
    ahead.push(next.value);
    read += next.value.length;
  }
  const pays = !whole && (share === undefined || LOOK_AHEAD / share() > WORTH_TRADES);
  const order = pays ? divide(ahead, threads) : null;
  const workers = order ? Array.from({ length: order.threads - 1 }, () => new Lane(orderOf(options))) : [];
  try {
    const dispatcher = new Dispatcher(step, workers, order?.lanes ?? new Map());
    for (const batch of ahead) await dispatcher.take(batch);
    for (let next = whole ? null : await batches.next(); next && !next.done; next = await batches.next())
      await dispatcher.take(next.value);
    return [step.result(), ...(await Promise.all(workers.map((worker) => worker.end())))];
  } finally {
    await Promise.all(workers.map((worker) => worker.stop()));
  }
}

function orderOf({ policies, trace }: StepOptions): WorkerOrder {
  const { artefact } = policies[0]!;
  return {
    artefact: artefactToJson(artefact),
    artefactId: artefact.id,
    settings: policies.map(({ settingsId: id, settings }) => ({ id, settings })),
    trace,
  };
}

interface Division {
  /** Threads that have something to do. */
  readonly threads: number;
  readonly lanes: ReadonlyMap<string, number>;
}

/** Gives each symbol to the thread with the least to do, the busiest first; thread 0 also reads. Null for a single symbol. */
export function divide(ahead: readonly (readonly TapeRecord[])[], threads: number): Division | null {
  const busy = new Map<string, number>();
  let total = 0;
  for (const batch of ahead) {
    for (const record of batch) {
      if (!isTrade(record)) continue;
      busy.set(record.symbol, (busy.get(record.symbol) ?? 0) + 1);
      total++;
    }
  }
  if (busy.size < 2 || threads < 2) return null;
  const load = new Float64Array(threads);
  load[0] = READING * total;
  const lanes = new Map<string, number>();
  for (const [symbol, trades] of [...busy].sort(([, a], [, b]) => b - a)) {
    const lane = load.indexOf(Math.min(...load));
    load[lane] = load[lane]! + trades;
    lanes.set(symbol, lane);
  }
  return { threads: Math.max(...lanes.values()) + 1, lanes };
}

class Dispatcher {
  readonly #step: Step;
  readonly #workers: readonly Lane[];
  readonly #lanes: Map<string, number>;
  #epoch = 0;

  constructor(step: Step, workers: readonly Lane[], lanes: ReadonlyMap<string, number>) {
    this.#step = step;
    this.#workers = workers;
    this.#lanes = new Map(lanes);
  }

  async take(batch: readonly TapeRecord[]): Promise<void> {
    if (this.#workers.length === 0) {
      for (const record of batch) this.#step.push(record);
      return;
    }
    for (const record of batch) {
      if ('symbol' in record) {
        // Which epochs count is a matter of the whole tape, of which a thread sees a part.
        if ('epoch' in record && record.epoch !== undefined) {
          if (record.epoch < this.#epoch) continue;
          this.#epoch = record.epoch;
        }
        // Awaiting what is no promise would cost more than the record itself.
        const room = this.#give(record, this.#laneOf(record.symbol));
        if (room) await room;
      } else {
        for (let lane = 0; lane <= this.#workers.length; lane++) await this.#give(record, lane);
      }
    }
  }

  /** Symbols that come late go round the threads. */
  #laneOf(symbol: string): number {
    let lane = this.#lanes.get(symbol);
    if (lane === undefined) {
      lane = this.#lanes.size % (this.#workers.length + 1);
      this.#lanes.set(symbol, lane);
    }
    return lane;
  }

  #give(record: TapeRecord, lane: number): Promise<void> | undefined {
    if (lane > 0) return this.#workers[lane - 1]!.give(record);
    this.#step.push(record);
    return undefined;
  }
}

/** Another thread, with what waits for it. */
class Lane {
  readonly #worker: Worker;
  readonly #packer = new Packer();
  readonly #failed: Promise<never>;
  readonly #result = Promise.withResolvers<StepResult>();
  #waiting = 0;
  #returned: () => void = () => undefined;

  constructor(order: WorkerOrder) {
    const file = import.meta.url.endsWith('.ts') ? './worker.ts' : './worker.js';
    this.#worker = new Worker(new URL(file, import.meta.url), { workerData: order });
    this.#failed = once(this.#worker, 'error').then(([error]) => {
      throw error;
    });
    this.#failed.catch(() => undefined);
    this.#worker.on('message', (message: FromWorker) => {
      if ('result' in message) {
        this.#result.resolve(message.result);
        return;
      }
      this.#packer.giveBack(message.rows);
      this.#waiting--;
      this.#returned();
    });
  }

  /** Returns a promise only where the thread can't take more for now. */
  give(record: TapeRecord): Promise<void> | undefined {
    this.#packer.add(record);
    if (!this.#packer.isFull) return undefined;
    this.#send();
    return this.#waiting > WAITING_MAX ? this.#room() : undefined;
  }

  async end(): Promise<StepResult> {
    if (!this.#packer.isEmpty) this.#send();
    this.#worker.postMessage(null satisfies ToWorker);
    return Promise.race([this.#result.promise, this.#failed]);
  }

  async stop(): Promise<void> {
    await this.#worker.terminate();
  }

  #send(): void {
    const parcel = this.#packer.take();
    this.#waiting++;
    this.#worker.postMessage(parcel satisfies ToWorker, [parcel.rows.buffer]);
  }

  async #room(): Promise<void> {
    while (this.#waiting > WAITING_MAX) {
      const returned = new Promise<void>((resolve) => {
        this.#returned = resolve;
      });
      await Promise.race([returned, this.#failed]);
    }
  }
}
