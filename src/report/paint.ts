/** The looks of every picture and page: colours for light, dark and paper, and how markup is written. */

/** Text that may hold anything, for markup. */
export function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}

/** A coordinate in as few characters as a screen can show. */
export function place(value: number): string {
  return String(Math.round(value * 10) / 10);
}

type Palette = Readonly<Record<string, string>>;

const LIGHT: Palette = {
  ground: '#ffffff',
  raised: '#f5f7f9',
  ink: '#16202c',
  soft: '#5b6876',
  line: '#dfe4ea',
  price: '#2456a6',
  volume: '#8fa3bd',
  buy: '#1c7f5a',
  sell: '#b3423a',
  notice: '#3f7fd1',
  warning: '#d98a06',
  critical: '#d0342c',
  band: '#2b8a6d',
  event: '#7a4fc0',
};
const DARK: Palette = {
  ground: '#10161d',
  raised: '#18212b',
  ink: '#e6ebf1',
  soft: '#93a1b1',
  line: '#2a3644',
  price: '#7fb0f5',
  volume: '#5d7590',
  buy: '#4cc38a',
  sell: '#f0736a',
  notice: '#6ba6f0',
  warning: '#f0b23f',
  critical: '#ff6b62',
  band: '#4cc3a0',
  event: '#b394f0',
};

export const FONT = "ui-sans-serif,system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif";

/** Classes of the shapes in pictures; `var(--x)` is a colour of the palette. */
const SHAPES: readonly (readonly [selector: string, style: string])[] = [
  ['.ground', 'fill:var(--ground)'],
  ['text', `font:11px ${FONT};fill:var(--soft);font-variant-numeric:tabular-nums`],
  ['.title', 'font-size:13px;font-weight:600;fill:var(--ink)'],
  ['.strong', 'fill:var(--ink)'],
  ['.end', 'text-anchor:end'],
  ['.middle', 'text-anchor:middle'],
  ['.grid', 'stroke:var(--line);stroke-width:1;fill:none'],
  ['.price', 'stroke:var(--price);stroke-width:1.3;fill:none;stroke-linejoin:round'],
  ['.range', 'fill:var(--price);opacity:.18'],
  ['.volume', 'fill:var(--volume);opacity:.5'],
  ['.band', 'fill:var(--band);opacity:.24'],
  ['.bandline', 'stroke:var(--band);stroke-dasharray:3 3;fill:none;opacity:.9'],
  ['.value', 'stroke:var(--ink);stroke-width:1.3;fill:none'],
  ['.bar', 'fill:var(--price)'],
  ['.track', 'fill:var(--line);opacity:.6'],
  ['.trade', 'opacity:.6'],
  ['.buy', 'fill:var(--buy)'],
  ['.sell', 'fill:var(--sell)'],
  ['.event', 'fill:var(--event);opacity:.16'],
  ['.eventline', 'stroke:var(--event);stroke-width:1.2'],
  ['.eventtext', 'fill:var(--event)'],
  ['.notice', 'fill:var(--notice)'],
  ['.warning', 'fill:var(--warning)'],
  ['.critical', 'fill:var(--critical)'],
  ['.mark', 'stroke-width:1;opacity:.55'],
  ['.mark.notice', 'stroke:var(--notice)'],
  ['.mark.warning', 'stroke:var(--warning)'],
  ['.mark.critical', 'stroke:var(--critical)'],
  ['.dot', 'stroke:var(--ground);stroke-width:1.2'],
  ['.curve', 'stroke:var(--price);stroke-width:1.6;fill:none'],
  ['.whisker', 'stroke:var(--soft);stroke-width:1'],
];

function variables(palette: Palette): string {
  return Object.entries(palette)
    .map(([name, colour]) => `--${name}:${colour};`)
    .join('');
}

/** For a page that holds pictures: light, dark, and always light on paper. */
export const PAGE_STYLE: string = [
  `:root{color-scheme:light dark;${variables(LIGHT)}}`,
  `@media (prefers-color-scheme:dark){:root{${variables(DARK)}}}`,
  `@media print{:root{color-scheme:light;${variables(LIGHT)}}}`,
  'svg{display:block;max-width:100%;height:auto}',
  ...SHAPES.map(([selector, style]) => `svg ${selector}{${style}}`),
].join('\n');

/** For a picture that stands alone: plain colours, since not every viewer of SVG knows variables. */
function pictureStyle(): string {
  const rules = (palette: Palette): string =>
    SHAPES.map(
      ([selector, style]) => `${selector}{${style.replace(/var\(--(\w+)\)/g, (_, name: string) => palette[name]!)}}`,
    ).join('');
  return `<style>${rules(LIGHT)}@media (prefers-color-scheme:dark){${rules(DARK)}}</style>`;
}

export interface Frame {
  readonly width: number;
  readonly height: number;
  /** What the picture shows, for those who can't see it. */
  readonly label: string;
  /** A picture that stands alone brings its style and its ground. */
  readonly alone: boolean;
}

export function svg({ width, height, label, alone }: Frame, body: string): string {
  const ground = alone ? `${pictureStyle()}<rect class="ground" width="${width}" height="${height}"/>` : '';
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escaped(label)}">${ground}${body}</svg>`;
}

export function text(x: number, y: number, words: string, css = ''): string {
  return `<text x="${place(x)}" y="${place(y)}"${css ? ` class="${css}"` : ''}>${escaped(words)}</text>`;
}

export function line(x1: number, y1: number, x2: number, y2: number, css: string): string {
  return `<path d="M${place(x1)} ${place(y1)}L${place(x2)} ${place(y2)}" class="${css}"/>`;
}

export function rect(x: number, y: number, width: number, height: number, css: string): string {
  return `<rect x="${place(x)}" y="${place(y)}" width="${place(Math.max(0, width))}" height="${place(Math.max(0, height))}" class="${css}"/>`;
}
