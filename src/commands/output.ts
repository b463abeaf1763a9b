/** Results to stdout, words and progress to stderr, one way out for errors. */
import { once } from 'node:events';
import { TapewatchError } from '../market/error.ts';

export async function print(text: string): Promise<void> {
  if (!process.stdout.write(text)) await once(process.stdout, 'drain');
}

/** Who reads the results has had enough, as `head` has: that is an end and no failure. */
export function endWithReader(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
}

export function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** A line that redraws itself on a terminal, and stays silent elsewhere. */
export class Progress {
  readonly #label: string;
  readonly #total: number;
  readonly #started: number = Date.now();
  #drawn = 0;

  constructor(label: string, total: number) {
    this.#label = label;
    this.#total = Math.max(1, total);
  }

  show(done: number): void {
    const now = Date.now();
    if (!process.stderr.isTTY || now - this.#drawn < 100) return;
    this.#drawn = now;
    const share = Math.min(1, done / this.#total);
    const bar = '█'.repeat(Math.round(share * 24)).padEnd(24, '░');
    const left = share > 0.02 ? ` ${Math.ceil(((now - this.#started) * (1 - share)) / share / 1000)} s left` : '';
    process.stderr.write(`\r\x1b[2K${this.#label} ${bar} ${Math.round(share * 100)} %${left}`);
  }

  end(): void {
    if (process.stderr.isTTY && this.#drawn > 0) process.stderr.write('\r\x1b[2K');
  }
}

/** Tells the user what went wrong and what to do, and gives the exit code: 2 for wrong usage or settings, else 1. */
export function tellError(error: unknown): number {
  if (error instanceof TapewatchError) {
    say(error.message);
    return error.code === 'usage' || error.code === 'settings' ? 2 : 1;
  }
  say(
    `Tapewatch failed where it should not: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
  );
  return 1;
}

/** Colour only on a terminal, and not with NO_COLOR. */
export function hasColour(stream: NodeJS.WriteStream): boolean {
  return stream.isTTY && stream.hasColors();
}
