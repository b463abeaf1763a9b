/**
 * A raw score for each kind, each by what suits it. Raw scores are on a logarithmic scale and compare within a kind only;
 * `tail.ts` turns them into return periods.
 */

import type { Kind } from '../../market/records.ts';
import { SERIES, SERIES_COUNT } from '../features/layout.ts';
import { VALUES, WINDOW_COUNT } from '../features/windows.ts';
import { exp, log } from '../math.ts';

/** Kinds of the market lane, in the order of their index. The first to be strongest wins a tie. */
export const MARKET_KINDS: readonly Kind[] = [
  'pump',
  'dump',
  'price_jump',
  'volume_burst',
  'trade_rate_burst',
  'multivariate',
  'silence',
];
export const KIND_INDEX = {
  pump: 0,
  dump: 1,
  price_jump: 2,
  volume_burst: 3,
  trade_rate_burst: 4,
  multivariate: 5,
  silence: 6,
} as const;
export const KIND_COUNT: number = MARKET_KINDS.length;
/** Kinds scored at a trade: all but silence, which a second without one raises. */
export const TRADE_KINDS: number = KIND_COUNT - 1;

/** Which series make up each kind that is a geometric mean of them; the price's sign is turned for a dump. */
const MIXES: readonly (readonly number[])[] = [
  [SERIES.buys, SERIES.netBuys, SERIES.logReturn],
  [SERIES.sells, SERIES.netSells, SERIES.logReturn],
];

/** Levels of equal rarity: a 5 s window needs half a unit more, a 60 s one three tenths less. */
const OFFSETS = [-0.5, 0, 0.3] as const;
const FACTORS3: readonly number[] = OFFSETS.map((offset) => exp(3 * offset));
const FACTORS1: readonly number[] = OFFSETS.map((offset) => exp(offset));

/** Fills `out` with raw scores before their logarithm: monotone in the raw score, cheap at every trade. */
export function strengths(z: Float64Array, out: Float64Array): void {
  let pump = 0;
  let dump = 0;
  let jump = 0;
  let volume = 1;
  let rate = 1;
  for (let w = 0; w < WINDOW_COUNT; w++) {
    const v = w * SERIES_COUNT;
    const r = z[v + SERIES.logReturn]!;
    if (r > 0) {
      const p = (1 + positive(z[v + SERIES.buys]!)) * (1 + positive(z[v + SERIES.netBuys]!)) * (1 + r) * FACTORS3[w]!;
      if (p > pump) pump = p;
    } else {
      const d = (1 + positive(z[v + SERIES.sells]!)) * (1 + positive(z[v + SERIES.netSells]!)) * (1 - r) * FACTORS3[w]!;
      if (d > dump) dump = d;
    }
    const j = (1 + (r < 0 ? -r : r)) * FACTORS1[w]!;
    if (j > jump) jump = j;
    volume *= 1 + positive(z[v + SERIES.quote]!);
    rate *= 1 + positive(z[v + SERIES.trades]!);
  }
  out[KIND_INDEX.pump] = pump;
  out[KIND_INDEX.dump] = dump;
  out[KIND_INDEX.price_jump] = jump;
  out[KIND_INDEX.volume_burst] = volume;
  out[KIND_INDEX.trade_rate_burst] = rate;
}

function positive(z: number): number {
  return z > 0 ? z : 0;
}

const THIRD = 1 / 3;
/** What a logarithm is divided by: kinds made of three factors are geometric means. */
const WEIGHT: readonly number[] = [THIRD, THIRD, 1, THIRD, THIRD];

/** The raw score behind a strength. The forest's score in (0, 1) is stretched where anomalies lie. */
export function rawOf(kind: number, strength: number): number {
  if (kind === KIND_INDEX.multivariate) return strength > 0.4 ? 20 * (strength - 0.4) : 0;
  return strength > 1 ? WEIGHT[kind]! * log(strength) : 0;
}

/** Raw score of having waited `waited` s where a share `active` of seconds has trades. */
export function silenceRaw(active: number, waited: number): number {
  return log(1 + active * waited);
}

/** The first whole second of waiting at which silence reaches `raw`. */
export function silenceDue(active: number, raw: number): number {
  return active > 0 ? Math.ceil((exp(raw) - 1) / active) : Number.POSITIVE_INFINITY;
}

const float = new Float32Array(1);
const bits = new Int32Array(float.buffer);
const BITS_OF_ONE = 0x3f800000;

/**
 * The forest's vector: every z-score, sign kept, log-compressed. A float's bits are its logarithm to base 2, linear between
 * powers of two: monotone, exact, and twenty times cheaper than a true one. `out` has VALUES entries.
 */
export function compress(z: Float64Array, out: Float64Array): void {
  for (let i = 0; i < VALUES; i++) {
    const x = z[i]!;
    float[0] = 1 + (x < 0 ? -x : x);
    const size = (bits[0]! - BITS_OF_ONE) / 0x800000;
    out[i] = x < 0 ? -size : size;
  }
}

/** Share of each value (index into the windows' values) in a kind's raw score; sums to one, or is empty. */
export function contributions(kind: number, z: Float64Array): { readonly value: number; readonly share: number }[] {
  const parts: { value: number; size: number }[] = [];
  const add = (value: number, x: number): void => {
    if (x > 0) parts.push({ value, size: log(1 + x) });
  };
  if (kind === KIND_INDEX.price_jump) {
    const w = strongestWindow(kind, z);
    add(w * SERIES_COUNT + SERIES.logReturn, Math.abs(z[w * SERIES_COUNT + SERIES.logReturn]!));
  } else if (kind === KIND_INDEX.pump || kind === KIND_INDEX.dump) {
    const v = strongestWindow(kind, z) * SERIES_COUNT;
    for (const s of MIXES[kind]!) add(v + s, s === SERIES.logReturn ? Math.abs(z[v + s]!) : z[v + s]!);
  } else {
    const s = kind === KIND_INDEX.volume_burst ? SERIES.quote : SERIES.trades;
    for (let w = 0; w < WINDOW_COUNT; w++) add(w * SERIES_COUNT + s, z[w * SERIES_COUNT + s]!);
  }
  const total = parts.reduce((sum, part) => sum + part.size, 0);
  return parts
    .map(({ value, size }) => ({ value, share: size / total }))
    .sort((a, b) => b.share - a.share || a.value - b.value);
}

function strongestWindow(kind: number, z: Float64Array): number {
  let best = 0;
  let strength = -1;
  for (let w = 0; w < WINDOW_COUNT; w++) {
    const v = w * SERIES_COUNT;
    const r = z[v + SERIES.logReturn]!;
    let x = (1 + Math.abs(r)) * FACTORS1[w]!;
    if (kind !== KIND_INDEX.price_jump) {
      const [a, b] = MIXES[kind]!;
      const fits = kind === KIND_INDEX.pump ? r > 0 : r < 0;
      x = fits ? (1 + positive(z[v + a!]!)) * (1 + positive(z[v + b!]!)) * (1 + Math.abs(r)) * FACTORS3[w]! : 0;
    }
    if (x > strength) {
      best = w;
      strength = x;
    }
  }
  return best;
}
