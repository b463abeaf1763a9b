/** Axes: values to places, round ticks, times and numbers as people write them. */

export interface Scale {
  readonly from: number;
  readonly to: number;
  /** Place of a value. */
  at(value: number): number;
}

export function linear(from: number, to: number, start: number, end: number): Scale {
  const span = to > from ? to - from : 1;
  return { from, to, at: (value) => start + ((value - from) / span) * (end - start) };
}

/** Values above zero only; what is less stands at the start. */
export function logarithmic(from: number, to: number, start: number, end: number): Scale {
  const low = Math.log(from);
  const span = Math.log(to) - low || 1;
  return { from, to, at: (value) => start + ((Math.log(Math.max(value, from)) - low) / span) * (end - start) };
}

/** About `count` round values within [from, to]. */
export function ticks(from: number, to: number, count: number): number[] {
  if (!(to > from)) return [from];
  const rough = (to - from) / count;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((factor) => factor * power >= rough)! * power;
  const found: number[] = [];
  for (let i = Math.ceil(from / step - 1e-9); i * step <= to + step * 1e-9; i++) found.push(i * step);
  return found;
}

/** 1, 2 and 5 times powers of ten within [from, to]. */
export function logTicks(from: number, to: number): number[] {
  const found: number[] = [];
  for (let power = Math.floor(Math.log10(from)); power <= Math.log10(to); power++) {
    for (const factor of [1, 2, 5]) {
      const value = factor * 10 ** power;
      if (value >= from * 0.999 && value <= to * 1.001) found.push(value);
    }
  }
  return found;
}

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const TIME_STEPS = [
  ...[1, 2, 5, 10, 30].map((n) => n * SECOND),
  ...[1, 2, 5, 10, 30].map((n) => n * MINUTE),
  ...[1, 2, 3, 6, 12].map((n) => n * HOUR),
  ...[1, 2, 7, 14, 28].map((n) => n * DAY),
];

/** At most `count` round times (UTC) in [from, to], ms, with their words; a new day says its date. */
export function timeTicks(from: number, to: number, count: number): { readonly at: number; readonly text: string }[] {
  const step = TIME_STEPS.find((candidate) => (to - from) / candidate <= count) ?? 91 * DAY;
  const found: { at: number; text: string }[] = [];
  let day = '';
  for (let at = Math.ceil(from / step) * step; at <= to; at += step) {
    const date = dateOf(at);
    const clock = clockOf(at).slice(0, step < MINUTE ? 8 : 5);
    found.push({ at, text: step >= DAY ? date : date === day ? clock : `${date} ${clock}` });
    day = date;
  }
  return found;
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

function dateOf(ms: number): string {
  const date = new Date(ms);
  return `${date.getUTCDate()} ${MONTHS[date.getUTCMonth()]}`;
}

function clockOf(ms: number): string {
  return new Date(ms).toISOString().slice(11, 23);
}

/** `2025-10-10 20:50:21.000`, UTC. */
export function timeText(ms: number, digits: 0 | 3 = 3): string {
  return new Date(ms)
    .toISOString()
    .replace('T', ' ')
    .slice(0, digits === 3 ? 23 : 19);
}

/** A number in at most five characters or so: 0.0123, 12.3, 4,560, 1.2 M. */
export function short(value: number): string {
  const size = Math.abs(value);
  if (size === 0 || !Number.isFinite(value)) return String(value);
  if (size >= 1e9) return `${trim(value / 1e9)} G`;
  if (size >= 1e6) return `${trim(value / 1e6)} M`;
  if (size >= 1e4) return `${trim(value / 1e3)} k`;
  if (size >= 100) return String(Math.round(value));
  return String(Number(value.toPrecision(3)));
}

/** The value of a feature, returns in per cent. */
export function featureText(name: string, value: number): string {
  return name.includes('return') ? `${Number((100 * value).toPrecision(2))} %` : short(value);
}

function trim(value: number): string {
  return String(Number(value.toPrecision(3)));
}

/** A price with the digits that tell round ticks `step` apart. */
export function priceText(value: number, step: number): string {
  return value.toFixed(step > 0 ? Math.min(12, Math.max(0, Math.ceil(-Math.log10(step) - 1e-9))) : 2);
}
