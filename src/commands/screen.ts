/** The terminal of `start` and `demo`: a live view where there is a terminal, lines where there is none, NDJSON on request. */
import { encodeAnomaly } from '../market/codec.ts';
import {
  alertLine,
  type IncidentLine,
  incidentLine,
  symbolHead,
  symbolLines,
  withRecord,
} from '../terminal/live-view.ts';
import { COLOURS, cut, PLAIN } from '../terminal/paint.ts';
import type { Views } from '../views/views.ts';
import { hasColour, say } from './output.ts';

const REDRAW_MS = 500;
const INCIDENTS_KEPT = 100;
/** Lines besides symbols and alerts. */
const FRAME_LINES = 6;

export interface ScreenOptions {
  readonly views: Views;
  readonly json: boolean;
  readonly address: string;
}

export class Screen {
  readonly #options: ScreenOptions;
  readonly #live: boolean;
  readonly #paint = hasColour(process.stdout) ? COLOURS : PLAIN;
  #incidents: readonly IncidentLine[] = [];
  #note = '';
  #timer: NodeJS.Timeout | undefined;
  #off: (() => void) | undefined;

  constructor(options: ScreenOptions) {
    this.#options = options;
    this.#live = process.stdout.isTTY && !options.json;
  }

  start(): void {
    this.#off = this.#options.views.on((event) => {
      if (event.type !== 'anomaly') return;
      const { anomaly } = event.stored;
      if (this.#options.json) process.stdout.write(`${encodeAnomaly(anomaly)}\n`);
      else if (this.#live) this.#incidents = withRecord(this.#incidents, anomaly, INCIDENTS_KEPT);
      else process.stdout.write(`${alertLine(anomaly, this.#paint, Number.POSITIVE_INFINITY)}\n`);
    });
    if (!this.#live) return;
    // A screen of its own: what stood in the terminal before comes back at the end.
    process.stdout.write('\x1b[?1049h\x1b[?25l');
    this.#timer = setInterval(() => this.#draw(), REDRAW_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#off?.();
    if (!this.#live || !this.#timer) return;
    process.stdout.write('\x1b[?25h\x1b[?1049l');
    const width = process.stdout.columns ?? 80;
    for (const incident of this.#incidents.slice(0, 10).reverse())
      process.stdout.write(`${incidentLine(incident, this.#paint, width)}\n`);
    this.#timer = undefined;
  }

  /** A sentence for the user: at the foot of the view, or a line on stderr. */
  note(text: string): void {
    if (this.#live && this.#timer) this.#note = text;
    else say(text);
  }

  #draw(): void {
    const { columns: width = 80, rows = 24 } = process.stdout;
    const { views, address } = this.#options;
    const paint = this.#paint;
    const symbols = views.symbols();
    const room = Math.max(4, rows - FRAME_LINES);
    // Symbols get at least half; what the alerts leave free is theirs too.
    const alertRows = Math.max(
      1,
      Math.min(this.#incidents.length, room - Math.min(symbols.length, Math.ceil(room / 2))),
    );
    const symbolRows = Math.max(2, room - alertRows);
    const open = this.#incidents.filter(({ isOver }) => !isOver).length;
    const alerts = this.#incidents.slice(0, alertRows).map((incident) => incidentLine(incident, paint, width));
    const clock = new Date().toISOString().slice(11, 19);
    const lines = [
      paint.bold(cut(`Tapewatch  ${clock} UTC  ${address}`, width)),
      symbolHead(paint, width),
      ...symbolLines(symbols, paint, symbolRows, width),
      '',
      paint.bold(open > 0 ? `alerts, ${open} open` : 'alerts'),
      ...(alerts.length > 0 ? alerts : [paint.dim('nothing odd so far')]),
    ];
    while (lines.length < rows - 1) lines.push('');
    lines.length = rows - 1;
    lines.push(paint.dim(cut(this.#note || 'Ctrl-C stops; nothing is lost.', width)));
    // Each line clears its own rest: clearing the whole screen first would flicker.
    process.stdout.write(`\x1b[H${lines.map((line) => `${line}\x1b[K`).join('\n')}\x1b[J`);
  }
}
