/** The user's rules beside the budget: what they let through, hold back, or raise whatever the budget says. Pure. */
import { TapewatchError } from '../../market/error.ts';
import { KINDS, type Rule } from '../../market/records.ts';

const DAY_MIN = 1440;
const WEEK_DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const MUTED = /^(?:(Mon|Tue|Wed|Thu|Fri|Sat|Sun|\d{4}-\d{2}-\d{2})(?: |$))?(?:(\d{2}):(\d{2})-(\d{2}):(\d{2}))?$/;
const FIELDS = new Set(['symbol', 'kind', 'zscore', 'minNotional', 'direction', 'muted']);

/** UTC; `day` is a weekday (0: Sunday) or a day since the epoch, null every day. */
interface Period {
  readonly weekday: number | null;
  readonly day: number | null;
  readonly from_min: number;
  readonly to_min: number;
}

interface Compiled {
  readonly kind: string | undefined;
  readonly zscore: number | undefined;
  readonly minNotional: number | undefined;
  readonly direction: 'up' | 'down' | undefined;
  readonly muted: readonly Period[];
}

/** The rules of one symbol, ready to be asked. */
export class SymbolRules {
  readonly #rules: readonly Compiled[];

  constructor(rules: readonly Rule[], symbol: string) {
    this.#rules = rules
      .filter((rule) => rule.symbol === undefined || rule.symbol === symbol)
      .map(({ kind, zscore, minNotional, direction, muted }) => ({
        kind,
        zscore,
        minNotional,
        direction,
        muted: (muted ?? []).map(parsePeriod),
      }));
  }

  get isEmpty(): boolean {
    return this.#rules.length === 0;
  }

  /** |z| from which on `kind` is raised whatever the budget says; Infinity without such a rule. */
  zscoreOf(kind: string): number {
    let least = Number.POSITIVE_INFINITY;
    for (const rule of this.#rules)
      if (rule.zscore !== undefined && applies(rule, kind) && rule.zscore < least) least = rule.zscore;
    return least;
  }

  /**
   * Whether `kind` may be told now. `direction` is −1, 0 or 1 (0 passes every rule of direction), `notional` the quote
   * volume of the last 60 s, null where a kind has none (a silence, a data fault).
   */
  allows(kind: string, direction: number, notional: number | null, time_s: number): boolean {
    for (const rule of this.#rules) {
      if (!applies(rule, kind)) continue;
      if (rule.minNotional !== undefined && notional !== null && notional < rule.minNotional) return false;
      if (rule.direction !== undefined && direction !== 0 && (rule.direction === 'up') !== direction > 0) return false;
      for (const period of rule.muted) if (covers(period, time_s)) return false;
    }
    return true;
  }
}

function applies({ kind }: Compiled, asked: string): boolean {
  return kind === undefined || kind === asked;
}

function covers({ weekday, day, from_min, to_min }: Period, time_s: number): boolean {
  const today = Math.floor(time_s / 86_400);
  // 1 January 1970 was a Thursday.
  if (weekday !== null && (today + 4) % 7 !== weekday) return false;
  if (day !== null && today !== day) return false;
  const minute = (time_s - today * 86_400) / 60;
  return from_min <= to_min ? minute >= from_min && minute < to_min : minute >= from_min || minute < to_min;
}

function parsePeriod(text: string): Period {
  const match = MUTED.exec(text);
  const [, date, h1, m1, h2, m2] = match ?? [];
  const from_min = h1 === undefined ? 0 : Number(h1) * 60 + Number(m1);
  const to_min = h2 === undefined ? DAY_MIN : Number(h2) * 60 + Number(m2);
  const day = date?.includes('-') ? dayNumber(date) : null;
  if (text === '' || !match || from_min > DAY_MIN || to_min > DAY_MIN || Number.isNaN(day)) {
    throw new TapewatchError('settings', `"${text}" is no muted period.`);
  }
  const weekday = date !== undefined && day === null ? WEEK_DAYS.indexOf(date) : null;
  return { weekday, day, from_min, to_min };
}

/** Days since the epoch (Hinnant's days_from_civil); NaN for a day that no calendar has. */
function dayNumber(date: string): number {
  const [year, month, day] = date.split('-').map(Number) as [number, number, number];
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  const days = [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1] ?? 0;
  if (day < 1 || day > days) return Number.NaN;
  const y = month > 2 ? year : year - 1;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayOfYear = Math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1;
  return (
    era * 146_097 + yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear - 719_468
  );
}

/**
 * Rules out of JSON: a list of objects with symbol, kind, zscore, minNotional, direction, muted, each optional.
 * A muted period is UTC: `22:00-06:00`, `Sat`, `Sun 00:00-12:00`, `2026-12-25`.
 * @throws TapewatchError `settings` with a line for each thing that is wrong.
 */
export function parseRules(json: unknown): readonly Rule[] {
  if (!Array.isArray(json)) throw new TapewatchError('settings', 'Rules are a JSON list of objects.');
  const faults = json.flatMap((rule: unknown, i) => faultsOf(rule).map((fault) => `Rule ${i + 1}: ${fault}`));
  if (faults.length > 0) throw new TapewatchError('settings', faults.join('\n'));
  return json as readonly Rule[];
}

function faultsOf(json: unknown): string[] {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return ['it is not an object.'];
  const rule = json as Record<string, unknown>;
  const faults = Object.keys(rule)
    .filter((key) => !FIELDS.has(key))
    .map((key) => `it has no field "${key}"; there are ${[...FIELDS].join(', ')}.`);
  const { symbol, kind, zscore, minNotional, direction, muted } = rule;
  if (symbol !== undefined && typeof symbol !== 'string') faults.push('symbol must be a name.');
  if (kind !== undefined && !KINDS.includes(kind as never)) faults.push(`kind must be one of ${KINDS.join(', ')}.`);
  if (zscore !== undefined && !(typeof zscore === 'number' && zscore > 0)) faults.push('zscore must be above 0.');
  if (minNotional !== undefined && !(typeof minNotional === 'number' && minNotional >= 0))
    faults.push('minNotional must be a number of 0 or more.');
  if (direction !== undefined && direction !== 'up' && direction !== 'down')
    faults.push('direction must be "up" or "down".');
  if (muted !== undefined && !Array.isArray(muted)) faults.push('muted must be a list of periods.');
  for (const period of Array.isArray(muted) ? muted : []) {
    try {
      parsePeriod(String(period));
    } catch {
      faults.push(`muted "${period}" is none of HH:MM-HH:MM, Sat, Sat HH:MM-HH:MM, YYYY-MM-DD, in UTC.`);
    }
  }
  return faults;
}
