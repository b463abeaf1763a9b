/** Several tape files as one tape: files of a symbol in a row, symbols merged by (timestamp, symbol, id, file order). */
import { statSync } from 'node:fs';
import { TapewatchError } from '../market/error.ts';
import { isTrade, type TapeRecord } from '../market/records.ts';
import { Continuity } from './continuity.ts';
import { type FileBatch, readTapeFile } from './file-reader.ts';
import type { Feed } from './rows.ts';

const BATCH = 4096;

export interface TapeOptions {
  /** The symbol of rows that name none, for files whose name does not tell it. */
  readonly symbol?: string;
  /** Called with the bytes read so far, as they lie on disk. */
  readonly onProgress?: (bytes: number) => void;
}

/** Batches of records in tape order. @throws TapewatchError `tape_unreadable` naming file and line. */
export async function* readTape(
  paths: readonly string[],
  options: TapeOptions = {},
): AsyncIterable<readonly TapeRecord[]> {
  let bytes = 0;
  const onBytes = (count: number): void => {
    bytes += count;
    options.onProgress?.(bytes);
  };
  const continuity = new Continuity();
  const heads = await Promise.all(
    paths.map((path, file) =>
      Head.open(path, file, { onBytes, ...(options.symbol ? { symbol: options.symbol } : {}) }),
    ),
  );
  const chains = chain(heads.filter((head) => head !== null));
  let out: TapeRecord[] = [];
  while (chains.length > 0) {
    const [first, second] = leastTwo(chains);
    const head = chains[first]!.head;
    const limit = second < 0 ? null : chains[second]!.head;
    do {
      continuity.admit(head.record, head.file, head.feed, out);
      if (out.length >= BATCH) {
        yield out;
        out = [];
      }
      if (!head.inBatch() && !(await head.refill())) {
        if (!chains[first]!.next()) chains.splice(first, 1);
        break;
      }
    } while (limit === null || compare(head, limit) <= 0);
  }
  if (out.length > 0) yield out;
}

/** Size of the files, bytes, for progress; packed ones count as they lie. */
export function sizeOfFiles(paths: readonly string[]): number {
  return paths.reduce((sum, path) => {
    try {
      return sum + statSync(path).size;
    } catch (cause) {
      throw new TapewatchError('tape_unreadable', `Can't find the tape ${path}.`, { cause });
    }
  }, 0);
}

/** The next record of one file, with the time by which it is merged: never less than that of the record before. */
class Head {
  readonly file: number;
  readonly #batches: AsyncIterator<FileBatch>;
  #batch: FileBatch;
  #at = 0;
  time = 0;

  private constructor(file: number, batches: AsyncIterator<FileBatch>, batch: FileBatch) {
    this.file = file;
    this.#batches = batches;
    this.#batch = batch;
    this.#look();
  }

  static async open(path: string, file: number, options: Parameters<typeof readTapeFile>[1]): Promise<Head | null> {
    const batches = readTapeFile(path, options)[Symbol.asyncIterator]();
    const first = await batches.next();
    return first.done ? null : new Head(file, batches, first.value);
  }

  get feed(): Feed {
    return this.#batch.feed;
  }
  get record(): TapeRecord {
    return this.#batch.records[this.#at]!;
  }
  get symbol(): string {
    const record = this.record;
    return 'symbol' in record ? record.symbol : '';
  }

  /** Moves to the next record of the batch at hand; false where there is none. */
  inBatch(): boolean {
    if (this.#at + 1 >= this.#batch.records.length) return false;
    this.#at++;
    this.#look();
    return true;
  }

  async refill(): Promise<boolean> {
    const next = await this.#batches.next();
    if (next.done) return false;
    this.#batch = next.value;
    this.#at = 0;
    this.#look();
    return true;
  }

  #look(): void {
    const record = this.record;
    const time = 'timestamp' in record ? record.timestamp : record.from;
    if (record && !('type' in record && record.type === 'activate') && time > this.time) this.time = time;
  }
}

/** Files that begin with the same symbol, read one after the other by their first time. */
class Chain {
  readonly #heads: Head[];
  constructor(heads: Head[]) {
    this.#heads = heads;
  }
  get head(): Head {
    return this.#heads[0]!;
  }
  next(): boolean {
    this.#heads.shift();
    return this.#heads.length > 0;
  }
}

function chain(heads: readonly Head[]): Chain[] {
  const bySymbol = Map.groupBy(heads, (head) => head.symbol);
  return [...bySymbol.values()].map((group) => new Chain(group.sort((a, b) => a.time - b.time || a.file - b.file)));
}

function leastTwo(chains: readonly Chain[]): [first: number, second: number] {
  let first = 0;
  let second = -1;
  for (let i = 1; i < chains.length; i++) {
    if (compare(chains[i]!.head, chains[first]!.head) < 0) {
      second = first;
      first = i;
    } else if (second < 0 || compare(chains[i]!.head, chains[second]!.head) < 0) second = i;
  }
  return [first, second];
}

function compare(a: Head, b: Head): number {
  if (a.time !== b.time) return a.time - b.time;
  if (a.symbol !== b.symbol) return a.symbol < b.symbol ? -1 : 1;
  return idOf(a.record) - idOf(b.record) || a.file - b.file;
}

function idOf(record: TapeRecord): number {
  return isTrade(record) ? record.id : -1;
}
