/** What a row of a tape file is, whatever its format. */
import type { Feed } from '../market/continuity.ts';
import { TapewatchError } from '../market/error.ts';
import type { TapeRecord } from '../market/records.ts';

/** Parses the lines of one file. */
export interface RowParser {
  readonly feed: Feed;
  /** The record of the line in `bytes` from `from` up to `to`, null for one that says nothing. Throws a plain reason. */
  parse(bytes: Uint8Array, from: number, to: number): TapeRecord | null;
}

/** A row that can't be read, before the reader adds file and line. */
export class RowFault extends Error {}

/** A file whose first line is of no known format. */
export class UnknownFormat extends TapewatchError {
  constructor(path: string, line: string) {
    super(
      'tape_unreadable',
      `${path} is no tape: its first line is ${JSON.stringify(line.slice(0, 80))}. Known are Binance dumps of trades and aggTrades, tardis trades, timestamp,symbol,price,quantity,is_buyer_maker, and Tapewatch's own NDJSON.`,
    );
  }
}
