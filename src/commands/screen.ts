/** The terminal of `start` and `demo`: a live table where there is a terminal, lines where there is none, NDJSON on request. */
import { encodeAnomaly } from '../market/codec.ts';
import { alertLine, COLOURS, PLAIN, symbolLines } from '../terminal/live-view.ts';
import type { Views } from '../views/views.ts';
import { hasColour, say } from './output.ts';

const REDRAW_MS = 500;
const ALERTS_SHOWN = 12;

export interface ScreenOptions {
  readonly views: Views;
  readonly json: boolean;
  readonly address: string;
}

export class Screen {
  readonly #options: ScreenOptions;
  readonly #live: boolean;
  readonly #paint = hasColour(process.stdout) ? COLOURS : PLAIN;
  readonly #alerts: string[] = [];
  #note = '';
  #timer: NodeJS.Timeout | undefined;
  #off: (() => void) | undefined;

  constructor(options: ScreenOptions) {
    this.#options = options;
    this.#live = process.stdout.isTTY && !options.json;
  }

  start(): void {
    const width = (): number => process.stdout.columns ?? 160;
    this.#off = this.#options.views.on((event) => {
      if (event.type !== 'anomaly') return;
      const { anomaly } = event.stored;
      if (this.#options.json) process.stdout.write(`${encodeAnomaly(anomaly)}\n`);
      else if (this.#live) {
        this.#alerts.unshift(alertLine(anomaly, this.#paint, width()));
        this.#alerts.length = Math.min(this.#alerts.length, ALERTS_SHOWN);
      } else process.stdout.write(`${alertLine(anomaly, this.#paint, width())}\n`);
    });
    if (this.#live) this.#timer = setInterval(() => this.#draw(), REDRAW_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#off?.();
    if (this.#live && this.#timer) process.stdout.write('\x1b[?25h\n');
  }

  /** A sentence for the user: below the table, or a line on stderr. */
  note(text: string): void {
    if (this.#live && this.#timer) this.#note = text;
    else say(text);
  }

  #draw(): void {
    const rows = Math.max(5, (process.stdout.rows ?? 30) - ALERTS_SHOWN - 6);
    const { views, address } = this.#options;
    const lines = [
      this.#paint.bold(`Tapewatch  ${new Date().toISOString().slice(11, 19)} UTC  ${address}`),
      this.#paint.dim('symbol             price      1 min  how odd      now/level'),
      ...symbolLines(views.symbols(), this.#paint, rows),
      '',
      this.#paint.bold('alerts'),
      ...(this.#alerts.length > 0 ? this.#alerts : [this.#paint.dim('none yet')]),
      '',
      this.#paint.dim(this.#note),
    ];
    process.stdout.write(`\x1b[?25l\x1b[H\x1b[2J${lines.join('\n')}\n`);
  }
}
