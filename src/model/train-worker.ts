/** The thread of `train-thread.ts`: asks for the tape once a pass, and gives the artefact. */
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { TapewatchError } from '../market/error.ts';
import type { TapeRecord } from '../market/records.ts';
import { ndjsonParser } from '../tape-files/ndjson-rows.ts';
import { encodeArtefact } from './artefact-file.ts';
import { train } from './train.ts';
import type { FromTraining, ToTraining, TrainingOrder } from './train-thread.ts';

const NEWLINE = 10;

async function run(port: MessagePort, { seed, command }: TrainingOrder): Promise<void> {
  const tell = (message: FromTraining): void => port.postMessage(message);
  const inbox = new Inbox(port);
  try {
    const artefact = await train({ tape: () => passOf(inbox, tell), seed, command });
    tell({ kind: 'trained', artefact: encodeArtefact(artefact) });
  } catch (error) {
    if (!(error instanceof TapewatchError)) throw error;
    tell({ kind: 'failed', code: error.code, message: error.message });
  } finally {
    port.close();
  }
}

async function* passOf(inbox: Inbox, tell: (message: FromTraining) => void): AsyncIterable<readonly TapeRecord[]> {
  tell({ kind: 'read' });
  for (let chunk = await inbox.next(); chunk !== null; chunk = await inbox.next()) {
    yield recordsOf(chunk);
    tell({ kind: 'used' });
  }
}

/** Lines that are no records stand in the dead letters; training goes on without them, as detection does. */
function recordsOf(chunk: Uint8Array): TapeRecord[] {
  const parser = ndjsonParser();
  const records: TapeRecord[] = [];
  for (let from = 0; from < chunk.length; ) {
    const to = chunk.indexOf(NEWLINE, from);
    try {
      const record = parser.parse(chunk, from, to);
      if (record) records.push(record);
    } catch {
      // Not a record.
    }
    from = to + 1;
  }
  return records;
}

class Inbox {
  readonly #held: ToTraining[] = [];
  #take: ((chunk: ToTraining) => void) | null = null;

  constructor(port: MessagePort) {
    port.on('message', (chunk: ToTraining) => {
      const take = this.#take;
      this.#take = null;
      if (take) take(chunk);
      else this.#held.push(chunk);
    });
  }

  next(): Promise<ToTraining> {
    if (this.#held.length > 0) return Promise.resolve(this.#held.shift()!);
    return new Promise((resolve) => {
      this.#take = resolve;
    });
  }
}

if (parentPort && workerData) await run(parentPort, workerData as TrainingOrder);
