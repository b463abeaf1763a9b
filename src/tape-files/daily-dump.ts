/**
 * Aggregate trades kept as the exchange's own daily dumps, one file a symbol and UTC day. A day that is not whole yet has
 * `.part` behind its name, and is gone on with after its last whole line.
 */
import { appendFileSync, existsSync, mkdirSync, readFileSync, renameSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { TapewatchError } from '../market/error.ts';

export interface DumpRow {
  readonly id: number;
  readonly price: string;
  readonly volume: string;
  readonly firstId: number;
  readonly lastId: number;
  readonly timeUs: number;
  readonly buyerIsMaker: boolean;
}

export class DailyDump {
  readonly path: string;
  readonly isWhole: boolean;
  readonly #part: string;
  /** The last id that an interrupted run wrote, null for none. */
  readonly lastId: number | null;

  /** @throws TapewatchError `usage` where the folder can't be written. */
  constructor(folder: string, symbol: string, dayMs: number) {
    const day = new Date(dayMs).toISOString().slice(0, 10);
    this.path = join(folder, `${symbol}-aggTrades-${day}.csv`);
    this.#part = `${this.path}.part`;
    this.isWhole = existsSync(this.path);
    if (this.isWhole) {
      this.lastId = null;
      return;
    }
    this.lastId = attempt(this.#part, () => {
      mkdirSync(folder, { recursive: true });
      if (!existsSync(this.#part)) writeFileSync(this.#part, '');
      return cutTornLine(this.#part);
    });
  }

  append(rows: readonly DumpRow[]): void {
    const lines = rows.map(
      ({ id, price, volume, firstId, lastId, timeUs, buyerIsMaker }) =>
        `${id},${price},${volume},${firstId},${lastId},${timeUs},${buyerIsMaker ? 'True' : 'False'},True\n`,
    );
    attempt(this.#part, () => appendFileSync(this.#part, lines.join('')));
  }

  /** The day has no more trades. */
  finish(): void {
    attempt(this.path, () => renameSync(this.#part, this.path));
  }
}

/** Drops what a killed run left of a line, and returns the id of the last whole one. */
function cutTornLine(path: string): number | null {
  const text = readFileSync(path, 'utf8');
  const end = text.lastIndexOf('\n') + 1;
  if (end < text.length) truncateSync(path, Buffer.byteLength(text.slice(0, end)));
  const last = text.slice(text.lastIndexOf('\n', end - 2) + 1, end);
  return last === '' ? null : Number(last.slice(0, last.indexOf(',')));
}

function attempt<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    const what = `Can't write ${path}: ${(cause as Error).message}. Choose another folder with --history-dir.`;
    throw new TapewatchError('usage', what, { cause });
  }
}
