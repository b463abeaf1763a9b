/** Known events to grade by, the format known by content; each format brings the protocol that its labels deserve. */
import { TapewatchError } from '../market/error.ts';

export interface Event {
  readonly symbol: string;
  /** A kind of anomaly, or null where the label names none. */
  readonly kind: string | null;
  /** How strong it was made, where it was made. */
  readonly size: number | null;
  /** Times in ms. */
  readonly start: number;
  readonly end: number;
}

/** How alerts are held against events. Times in s. */
export interface Protocol {
  /** An alert this long before the start finds the event too: starts noted by hand come late. */
  readonly before_s: number;
  /** An event is found until its end, or within this time of its start. */
  readonly within_s: number;
  /** An alert this near an event that didn't find it is neither hit nor false. */
  readonly near_s: readonly [before: number, after: number];
  /** False alerts this close are one. */
  readonly merge_s: number;
  /** Alerts and events in this time after a symbol's first trade don't count. */
  readonly warmUp_s: number;
  readonly windows_s: readonly number[];
}

export interface Labels {
  readonly events: readonly Event[];
  /** Moments near which an alert counts for nothing: announcements that led to no event, other noise. */
  readonly noise: readonly { readonly symbol: string; readonly at: number }[];
  readonly protocol: Protocol;
}

const WINDOWS_S = [5, 15, 25, 60, 300];
/** Events noted by hand, minutes rough: the protocol of La Morgia et al. 2020, by which pump detectors are compared. */
const BY_HAND: Protocol = {
  before_s: 60,
  within_s: 60,
  near_s: [1800, 1800],
  merge_s: 1800,
  warmUp_s: 0,
  windows_s: WINDOWS_S,
};
/** Events that were made, and so are known to the ms; a lively schedule leaves little time between them. */
const MADE: Protocol = {
  before_s: 0,
  within_s: 60,
  near_s: [0, 600],
  merge_s: 600,
  warmUp_s: 0,
  windows_s: WINDOWS_S,
};

/** `name` is the file's, for messages. @throws TapewatchError `usage`. */
export function readLabels(text: string, name: string): Labels {
  const lines = text
    .replace(/^\ufeff/, '')
    .split(/\r?\n/)
    .filter((line) => line.trim() !== '');
  const [first = ''] = lines;
  if (first.startsWith('{'))
    return { events: lines.map((line, i) => madeEvent(line, name, i + 1)), noise: [], protocol: MADE };
  const header = first.split(',').map((cell) => cell.trim());
  const rows = lines.slice(1).map((line) => {
    const cells = line.split(',');
    return new Map(header.map((column, i) => [column, (cells[i] ?? '').trim()]));
  });
  if (header.includes('announced_utc') && header.includes('symbol')) return announcedPumps(rows, name);
  if (header.includes('symbol') && header.includes('start')) {
    return { events: rows.map((row, i) => notedEvent(row, name, i + 2)), noise: [], protocol: BY_HAND };
  }
  throw new TapewatchError(
    'usage',
    `${name} holds no labels: its first line is ${JSON.stringify(first.slice(0, 80))}. Known are the simulator's NDJSON, a csv with the columns symbol,start and perhaps end,kind,size (times in ms or ISO 8601), and events.csv of announced pumps.`,
  );
}

type Row = ReadonlyMap<string, string>;

function madeEvent(line: string, name: string, number: number): Event {
  let label: Partial<Event> | null = null;
  try {
    label = JSON.parse(line) as Partial<Event>;
  } catch {
    // Told below.
  }
  const { symbol, kind = null, size = null, start, end = start } = label ?? {};
  if (typeof symbol !== 'string' || typeof start !== 'number' || typeof end !== 'number')
    throw new TapewatchError('usage', `${name}, line ${number}: no label with symbol, start and end in ms.`);
  return { symbol, kind, size, start, end };
}

function notedEvent(row: Row, name: string, number: number): Event {
  const symbol = row.get('symbol');
  const start = timeOf(row.get('start') ?? '');
  const end = row.get('end') ? timeOf(row.get('end')!) : start;
  const size = row.get('size') ? Number(row.get('size')) : null;
  if (!symbol || !(start > 0) || !(end >= start) || Number.isNaN(size))
    throw new TapewatchError('usage', `${name}, line ${number}: symbol, start, end or size can't be read.`);
  return { symbol: symbol.toUpperCase(), kind: row.get('kind') || null, size, start, end };
}

/**
 * Announced pump-and-dumps: the start is the manually labelled 5 s chunk where there is one, else the announced minute.
 * Where no pump can be seen the announcement is noise.
 */
function announcedPumps(rows: readonly Row[], name: string): Labels {
  const events: Event[] = [];
  const noise: { symbol: string; at: number }[] = [];
  for (const [i, row] of rows.entries()) {
    const symbol = row.get('symbol') ?? '';
    const announced = timeOf(row.get('announced_utc') ?? '');
    if (symbol === '' || !(announced > 0))
      throw new TapewatchError('usage', `${name}, line ${i + 2}: symbol or announced_utc can't be read.`);
    const starts = listOf(row.get('other_event_utc'));
    if (/^true$/i.test(row.get('pump_visible') ?? 'true'))
      starts.unshift(timeOf(row.get('sapienza_gt_5S') || row.get('announced_utc')!));
    for (const start of starts) events.push({ symbol, kind: 'pump', size: null, start, end: start });
    for (const at of [announced, ...listOf(row.get('ignore_utc'))]) noise.push({ symbol, at });
  }
  return { events, noise, protocol: { ...BY_HAND, warmUp_s: 6 * 3600 } };
}

function listOf(cell: string | undefined): number[] {
  return (cell ?? '')
    .split(';')
    .filter((time) => time !== '')
    .map(timeOf);
}

/** ms, from ms or from ISO 8601, which is UTC unless it says otherwise. NaN where it is neither. */
function timeOf(text: string): number {
  if (/^\d{12,14}(\.\d+)?$/.test(text)) return Number(text);
  if (!/^\d{4}-\d\d-\d\d([T ]\d\d:\d\d|$)/.test(text)) return Number.NaN;
  const iso = text.replace(' ', 'T');
  return Date.parse(!iso.includes('T') || /(Z|[+-]\d\d:?\d\d)$/i.test(iso) ? iso : `${iso}Z`);
}
