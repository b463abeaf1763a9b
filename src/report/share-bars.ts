/** Shares that sum to one, as bars with their names. */
import { rect, text } from './paint.ts';

interface Part {
  readonly feature: string;
  readonly share: number;
}

const ROW = 20;
const ROWS_MAX = 8;

export function shareBarsHeight(parts: readonly Part[]): number {
  return parts.length === 0 ? 0 : 12 + ROW * Math.min(ROWS_MAX, parts.length);
}

export function shareBars(
  title: string,
  parts: readonly Part[],
  { x, y, width }: { readonly x: number; readonly y: number; readonly width: number },
): string {
  const track = { from: x + 150, to: x + width - 54 };
  const rows = parts.slice(0, ROWS_MAX).map(({ feature, share }, i) => {
    const at = y + 12 + ROW * i;
    return [
      text(x, at + 10, feature, 'strong'),
      rect(track.from, at + 2, track.to - track.from, 9, 'track'),
      rect(track.from, at + 2, (track.to - track.from) * share, 9, 'bar'),
      text(x + width - 8, at + 10, `${Math.round(share * 100)} %`, 'end'),
    ].join('');
  });
  return text(x, y, title, 'title') + rows.join('');
}
