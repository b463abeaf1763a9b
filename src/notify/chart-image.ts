/** Ten minutes before an alert as a small picture: the price, its volume beneath, the highest and lowest price. Pure. */
import type { Anomaly, Bar } from '../market/records.ts';
import { encodePng } from './png.ts';

const WIDTH = 480;
const HEIGHT = 200;
const MARGIN = 10;
/** Room for prices at the right. */
const LABELS = 84;
const PRICE_BOTTOM = 146;
const PALETTE = [0x11151c, 0x263040, 0x8a95a5, 0xd8dee7, 0x2fbf8f, 0xf2566a, 0xd9b95b, 0xff9a4d, 0xff5d73] as const;
const COLOUR = { line: 1, muted: 2, price: 3, up: 4, down: 5, notice: 6, warning: 7, critical: 8 } as const;

/** How far the picture reaches back from the alert, ms. */
export const PICTURE_MS = 600_000;

/** PNG bytes; null where there is too little to show. */
export function chartImage(bars: readonly Bar[], { timestamp, severity }: Anomaly): Uint8Array | null {
  if (bars.length < 10) return null;
  const canvas = new Canvas();
  const low = Math.min(...bars.map((bar) => bar.low));
  const high = Math.max(...bars.map((bar) => bar.high));
  const most = Math.max(...bars.map((bar) => bar.quoteVolume));
  const right = WIDTH - LABELS;
  const x = (ms: number): number => Math.round(right - ((timestamp - ms) / PICTURE_MS) * (right - MARGIN));
  const y = (price: number): number =>
    Math.round(high > low ? MARGIN + ((high - price) / (high - low)) * (PRICE_BOTTOM - MARGIN) : PRICE_BOTTOM / 2);
  for (const price of [low, high]) canvas.box(MARGIN, y(price), right, y(price), COLOUR.line);
  canvas.box(x(timestamp), MARGIN, x(timestamp), HEIGHT - MARGIN, COLOUR[severity]);
  let before: { x: number; y: number } | null = null;
  for (const { timestamp: at, open, close, quoteVolume } of bars) {
    const tall = most > 0 ? Math.round((quoteVolume / most) * (HEIGHT - MARGIN - PRICE_BOTTOM - 8)) : 0;
    canvas.box(x(at), HEIGHT - MARGIN - tall, x(at), HEIGHT - MARGIN, close >= open ? COLOUR.up : COLOUR.down);
    const here = { x: x(at), y: y(close) };
    canvas.stroke(before ?? here, here, COLOUR.price);
    before = here;
  }
  const decimals = decimalsFor(low, high);
  canvas.write(high.toFixed(decimals), right + 8, y(high) - 4, COLOUR.muted);
  canvas.write(low.toFixed(decimals), right + 8, y(low) - 6, COLOUR.muted);
  return encodePng({ width: WIDTH, height: HEIGHT, palette: PALETTE, pixels: canvas.pixels });
}

/** Enough to tell the two apart by three digits. */
function decimalsFor(low: number, high: number): number {
  const span = high - low || Math.abs(high) / 1000 || 1;
  return Math.max(0, Math.min(8, Math.ceil(2 - Math.log10(span))));
}

/** Digits of three by five, a row a number: what a price is written with. */
const GLYPHS: Readonly<Record<string, readonly number[]>> = {
  '0': [7, 5, 5, 5, 7],
  '1': [2, 6, 2, 2, 7],
  '2': [7, 1, 7, 4, 7],
  '3': [7, 1, 3, 1, 7],
  '4': [5, 5, 7, 1, 1],
  '5': [7, 4, 7, 1, 7],
  '6': [7, 4, 7, 5, 7],
  '7': [7, 1, 2, 2, 2],
  '8': [7, 5, 7, 5, 7],
  '9': [7, 5, 7, 1, 7],
  '.': [0, 0, 0, 0, 2],
};
const SCALE = 2;

class Canvas {
  readonly pixels: Uint8Array = new Uint8Array(WIDTH * HEIGHT);

  /** Corners are part of it. */
  box(x0: number, y0: number, x1: number, y1: number, colour: number): void {
    for (let y = Math.max(0, y0); y <= Math.min(HEIGHT - 1, y1); y++)
      for (let x = Math.max(0, x0); x <= Math.min(WIDTH - 1, x1); x++) this.pixels[y * WIDTH + x] = colour;
  }

  /** A line two pixels thick, from left to right. */
  stroke(from: { x: number; y: number }, to: { x: number; y: number }, colour: number): void {
    const steps = Math.max(1, Math.abs(to.x - from.x), Math.abs(to.y - from.y));
    for (let i = 0; i <= steps; i++) {
      const x = Math.round(from.x + ((to.x - from.x) * i) / steps);
      const y = Math.round(from.y + ((to.y - from.y) * i) / steps);
      this.box(x, y, x + 1, y + 1, colour);
    }
  }

  write(text: string, x: number, y: number, colour: number): void {
    [...text].forEach((sign, n) => {
      GLYPHS[sign]?.forEach((bits, row) => {
        for (let column = 0; column < 3; column++) {
          if (!(bits & (4 >> column))) continue;
          const left = x + (n * 4 + column) * SCALE;
          this.box(left, y + row * SCALE, left + SCALE - 1, y + row * SCALE + SCALE - 1, colour);
        }
      });
    });
  }
}
