/** Records on their way to another thread: trades as columns of doubles, which are handed over and not copied. */
import { type ControlRecord, isTrade, type TapeRecord } from '../market/records.ts';

export interface Parcel {
  readonly trades: number;
  /** `TRADES_MAX` rows of COLUMNS doubles: time, number of the symbol, id, price, volume, 1 for a buy. */
  readonly rows: Float64Array<ArrayBuffer>;
  /** Symbols seen for the first time, numbered on from the last parcel's. */
  readonly symbols: readonly string[];
  /** Other records, each before the trade at its place. */
  readonly controls: readonly { readonly before: number; readonly record: ControlRecord }[];
}

export const TRADES_MAX = 8192;
const COLUMNS = 6;

export class Packer {
  readonly #numbers = new Map<string, number>();
  #spare: Float64Array<ArrayBuffer>[] = [];
  #rows: Float64Array<ArrayBuffer> = new Float64Array(TRADES_MAX * COLUMNS);
  #trades = 0;
  #symbols: string[] = [];
  #controls: { before: number; record: ControlRecord }[] = [];

  /** Whether the parcel at hand must be taken before another record is added. */
  get isFull(): boolean {
    return this.#trades === TRADES_MAX || this.#controls.length === TRADES_MAX;
  }
  get isEmpty(): boolean {
    return this.#trades === 0 && this.#controls.length === 0;
  }

  add(record: TapeRecord): void {
    if (!isTrade(record)) {
      this.#controls.push({ before: this.#trades, record });
      return;
    }
    let number = this.#numbers.get(record.symbol);
    if (number === undefined) {
      number = this.#numbers.size;
      this.#numbers.set(record.symbol, number);
      this.#symbols.push(record.symbol);
    }
    const rows = this.#rows;
    const at = this.#trades * COLUMNS;
    rows[at] = record.timestamp;
    rows[at + 1] = number;
    rows[at + 2] = record.id;
    rows[at + 3] = record.price;
    rows[at + 4] = record.volume;
    rows[at + 5] = record.side === 'buy' ? 1 : 0;
    this.#trades++;
  }

  take(): Parcel {
    const parcel = { trades: this.#trades, rows: this.#rows, symbols: this.#symbols, controls: this.#controls };
    this.#rows = this.#spare.pop() ?? new Float64Array(TRADES_MAX * COLUMNS);
    this.#trades = 0;
    this.#symbols = [];
    this.#controls = [];
    return parcel;
  }

  /** Rows that came back, for another parcel. */
  giveBack(rows: Float64Array<ArrayBuffer>): void {
    this.#spare.push(rows);
  }
}

export class Unpacker {
  readonly #symbols: string[] = [];

  unpack(parcel: Parcel, take: (record: TapeRecord) => void): void {
    const { trades, rows, controls } = parcel;
    this.#symbols.push(...parcel.symbols);
    let control = 0;
    for (let i = 0; i < trades; i++) {
      while (controls[control]?.before === i) take(controls[control++]!.record);
      const at = i * COLUMNS;
      take({
        timestamp: rows[at]!,
        symbol: this.#symbols[rows[at + 1]!]!,
        id: rows[at + 2]!,
        price: rows[at + 3]!,
        volume: rows[at + 4]!,
        side: rows[at + 5] === 1 ? 'buy' : 'sell',
      });
    }
    while (control < controls.length) take(controls[control++]!.record);
  }
}
