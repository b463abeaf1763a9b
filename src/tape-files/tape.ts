/** Several tape files as one tape: files of a symbol in a row, symbols merged by (timestamp, symbol, id, file order). */
import { readdirSync, type Stats, statSync } from 'node:fs';
import { join } from 'node:path';
import { Continuity, type Feed } from '../market/continuity.ts';
import { TapewatchError } from '../market/error.ts';
import { isTrade, type TapeRecord } from '../market/records.ts';
import { type FileBatch, readTapeFile } from './file-reader.ts';
import { UnknownFormat } from './rows.ts';

const BATCH = 4096;

export interface TapeOptions {
  /** The symbol of rows that name none, for files whose name does not tell it. */
  readonly symbol?: string;
  /** Called with the bytes read so far, as they lie on disk. */
  readonly onProgress?: (bytes: number) => void;
  /** Called with a file of a folder that is no tape; one named itself is an error. */
  readonly onLeftOut?: (path: string) => void;
}

/** Batches of records in tape order. A path may be a folder of tapes. @throws TapewatchError `tape_unreadable` naming file and line. */
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
  const opening = { onBytes, ...(options.symbol ? { symbol: options.symbol } : {}) };
  const onUnknown = (path: string, error: UnknownFormat): void => {
    if (paths.includes(path)) throw error;
    options.onLeftOut?.(path);
  };
  const chains = await chain(filesOf(paths), opening, onUnknown);
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
        if (!(await chains[first]!.next())) chains.splice(first, 1);
        break;
      }
    } while (limit === null || compare(head, limit) <= 0);
  }
  if (out.length > 0) yield out;
}

/** Size of the files, bytes, for progress; packed ones count as they lie. */
export function sizeOfFiles(paths: readonly string[]): number {
  return filesOf(paths).reduce((sum, path) => sum + stat(path).size, 0);
}

const TAPE_NAME = /\.(csv|ndjson|jsonl|zip)(\.gz)?$|\.gz$/i;

/** Folders replaced by the tapes in them, by name. */
export function filesOf(paths: readonly string[]): string[] {
  return paths.flatMap((path) => {
    if (!stat(path).isDirectory()) return [path];
    const names = readdirSync(path).filter((name) => TAPE_NAME.test(name));
    if (names.length === 0) {
      throw new TapewatchError(
        'tape_unreadable',
        `The folder ${path} holds no tape: no name in it ends in .csv, .ndjson, .zip or .gz.`,
      );
    }
    return names.sort().map((name) => join(path, name));
  });
}

function stat(path: string): Stats {
  try {
    return statSync(path);
  } catch (cause) {
    throw new TapewatchError('tape_unreadable', `Can't find the tape ${path}.`, { cause });
  }
}

interface OpenOptions {
  readonly symbol?: string;
  readonly onBytes: (count: number) => void;
}

/** The next record of one file, with the time by which it is merged: never less than that of the record before. */
class Head {
  readonly file: number;
  readonly #batches: AsyncIterator<FileBatch>;
  #bytes = 0;
  #batch: FileBatch;
  #at = 0;
  time = 0;

  private constructor(file: number, batches: AsyncIterator<FileBatch>, batch: FileBatch) {
    this.file = file;
    this.#batches = batches;
    this.#batch = batch;
    this.#look();
  }

  static async open(path: string, file: number, { symbol, onBytes }: OpenOptions): Promise<Head | null> {
    let head: Head | null = null;
    let before = 0;
    const count = (bytes: number): void => {
      if (head) head.#bytes += bytes;
      else before += bytes;
      onBytes(bytes);
    };
    const options = { onBytes: count, ...(symbol === undefined ? {} : { symbol }) };
    const batches = readTapeFile(path, options)[Symbol.asyncIterator]();
    const first = await batches.next();
    if (first.done) return null;
    head = new Head(file, batches, first.value);
    head.#bytes = before;
    return head;
  }

  /** Leaves the file. Returns the bytes read so far, which will be read again. */
  async close(): Promise<number> {
    await this.#batches.return?.();
    return this.#bytes;
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

interface Place {
  readonly path: string;
  readonly file: number;
  readonly time: number;
}

/** Files that begin with the same symbol, read one after the other by their first time; only one of them is open. */
class Chain {
  readonly #options: OpenOptions;
  readonly #later: Place[] = [];
  #place: Place;
  #head: Head;

  constructor(head: Head, place: Place, options: OpenOptions) {
    this.#head = head;
    this.#place = place;
    this.#options = options;
  }
  get head(): Head {
    return this.#head;
  }

  async add(head: Head, place: Place): Promise<void> {
    const earlier = place.time < this.#place.time;
    this.#later.push(earlier ? this.#place : place);
    this.#options.onBytes(-(await (earlier ? this.#head : head).close()));
    if (!earlier) return;
    this.#head = head;
    this.#place = place;
  }

  async next(): Promise<boolean> {
    this.#later.sort((a, b) => a.time - b.time || a.file - b.file);
    const place = this.#later.shift();
    if (!place) return false;
    this.#place = place;
    this.#head = (await Head.open(place.path, place.file, this.#options))!;
    return true;
  }
}

async function chain(
  paths: readonly string[],
  options: OpenOptions,
  onUnknown: (path: string, error: UnknownFormat) => void,
): Promise<Chain[]> {
  const bySymbol = new Map<string, Chain>();
  for (const [file, path] of paths.entries()) {
    const head = await Head.open(path, file, options).catch((error: unknown) => {
      if (!(error instanceof UnknownFormat)) throw error;
      onUnknown(path, error);
      return null;
    });
    if (!head) continue;
    const place = { path, file, time: head.time };
    const known = bySymbol.get(head.symbol);
    if (known) await known.add(head, place);
    else bySymbol.set(head.symbol, new Chain(head, place, options));
  }
  return [...bySymbol.values()];
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
