/** One tape file as batches of records: bytes to lines to records, the format known by the first line. */
import { basename } from 'node:path';
import type { Feed } from '../market/continuity.ts';
import { TapewatchError } from '../market/error.ts';
import type { TapeRecord } from '../market/records.ts';
import { readBytes } from './bytes.ts';
import { csvParser } from './csv-rows.ts';
import { ndjsonParser } from './ndjson-rows.ts';
import { type RowParser, UnknownFormat } from './rows.ts';

const BATCH = 4096;
const NEWLINE = 10;
const RETURN = 13;

export interface FileBatch {
  readonly feed: Feed;
  readonly records: readonly TapeRecord[];
}

/** `symbol` is for rows that name none; without it the file's name up to the first of `-`, `_` or `.`. */
export async function* readTapeFile(
  path: string,
  options: { readonly symbol?: string; readonly onBytes?: (count: number) => void } = {},
): AsyncIterable<FileBatch> {
  const symbol = options.symbol ?? symbolOfName(path);
  const lines = new Lines(path, symbol);
  for await (const chunk of await readBytes(path, options.onBytes)) yield* lines.push(chunk);
  yield* lines.end();
}

function symbolOfName(path: string): string {
  return /^[^-_.]*/.exec(basename(path))![0]!.toUpperCase();
}

class Lines {
  readonly #path: string;
  readonly #symbol: string;
  #rest: Uint8Array = new Uint8Array(0);
  #parser: RowParser | null = null;
  #line = 0;

  constructor(path: string, symbol: string) {
    this.#path = path;
    this.#symbol = symbol;
  }

  *push(chunk: Uint8Array): Iterable<FileBatch> {
    let bytes = chunk;
    if (this.#rest.length > 0) {
      bytes = new Uint8Array(this.#rest.length + chunk.length);
      bytes.set(this.#rest);
      bytes.set(chunk, this.#rest.length);
    }
    const last = bytes.lastIndexOf(NEWLINE);
    this.#rest = bytes.slice(last + 1);
    if (last >= 0) yield* this.#parse(bytes, last + 1);
  }

  *end(): Iterable<FileBatch> {
    if (this.#rest.length === 0) return;
    const bytes = new Uint8Array(this.#rest.length + 1);
    bytes.set(this.#rest);
    bytes[this.#rest.length] = NEWLINE;
    this.#rest = new Uint8Array(0);
    yield* this.#parse(bytes, bytes.length);
  }

  *#parse(bytes: Uint8Array, length: number): Iterable<FileBatch> {
    let records: TapeRecord[] = [];
    for (let from = 0; from < length; ) {
      const newline = bytes.indexOf(NEWLINE, from);
      const to = newline > from && bytes[newline - 1] === RETURN ? newline - 1 : newline;
      this.#line++;
      if (to > from) {
        const parser = this.#parser ?? this.#recognise(bytes, from, to);
        if (parser) {
          const record = this.#row(parser, bytes, from, to);
          if (record) records.push(record);
        }
      }
      from = newline + 1;
      if (records.length === BATCH) {
        yield { feed: this.#parser!.feed, records };
        records = [];
      }
    }
    if (records.length > 0) yield { feed: this.#parser!.feed, records };
  }

  /** Chooses the parser by the first line; null where that line is a header. */
  #recognise(bytes: Uint8Array, from: number, to: number): RowParser | null {
    if (bytes[from] === 0x7b) {
      this.#parser = ndjsonParser();
      return this.#parser;
    }
    const line = new TextDecoder().decode(bytes.subarray(from, to)).replace(/^\ufeff/, '');
    const csv = csvParser(line, this.#symbol);
    if (!csv) throw new UnknownFormat(this.#path, line);
    this.#parser = csv.parser;
    return csv.headed ? null : csv.parser;
  }

  #row(parser: RowParser, bytes: Uint8Array, from: number, to: number): TapeRecord | null {
    try {
      return parser.parse(bytes, from, to);
    } catch (cause) {
      throw new TapewatchError('tape_unreadable', `${this.#path}, line ${this.#line}: ${(cause as Error).message}.`, {
        cause,
      });
    }
  }
}
