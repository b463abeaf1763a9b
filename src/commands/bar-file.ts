/** `--bars F`: the 1 s bars of a backtest, one a line, in the order in which the tape gave them. */
import { closeSync, openSync, writeSync } from 'node:fs';
import { encodeBar } from '../market/codec.ts';
import { TapewatchError } from '../market/error.ts';
import type { Bar } from '../market/records.ts';

export class BarFile {
  readonly #file: number;
  #lines: string[] = [];

  constructor(path: string) {
    try {
      this.#file = openSync(path, 'w');
    } catch (cause) {
      throw new TapewatchError('usage', `Can't write the bars to ${path}: ${(cause as Error).message}.`, { cause });
    }
  }

  write(bar: Bar): void {
    this.#lines.push(`${encodeBar(bar)}\n`);
    if (this.#lines.length >= 10_000) this.#flush();
  }

  close(): void {
    this.#flush();
    closeSync(this.#file);
  }

  #flush(): void {
    writeSync(this.#file, this.#lines.join(''));
    this.#lines = [];
  }
}
