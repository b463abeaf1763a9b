/**
 * A raw score for each kind, each by what suits it. Raw scores are on a logarithmic scale and compare within a kind only;
 * `tail.ts` turns them into return periods.
 */
import type { Kind } from '../../market/records.ts';
import type { Excursion } from '../features/excursion.ts';
import { type HourTops, TOP } from '../features/hour-tops.ts';
import { SERIES, SERIES_COUNT } from '../features/layout.ts';
import type { Orders } from '../features/orders.ts';
import { WINDOW_COUNT, type Windows } from '../features/windows.ts';
import { exp, log } from '../math.ts';
import { KIND_INDEX, MARKET_KINDS } from './kinds.ts';

/** Levels of equal rarity: a 5 s window needs half a unit more, a 60 s one three tenths less. */
const OFFSETS = [-0.5, 0, 0.3] as const;
const FACTORS1: readonly number[] = OFFSETS.map((offset) => exp(offset));
const FACTORS3: readonly number[] = OFFSETS.map((offset) => exp(3 * offset));
const FACTORS4: readonly number[] = OFFSETS.map((offset) => exp(4 * offset));

const { pump: PUMP, dump: DUMP, flash_crash: FLASH, price_jump: JUMP, large_trade: LARGE } = KIND_INDEX;
const { volume_burst: VOLUME, rush_orders: RUSH, trade_rate_burst: RATE, one_sided_flow: FLOW } = KIND_INDEX;
const { wash_suspicion: WASH, multivariate: MULTIVARIATE } = KIND_INDEX;

/** A raw score is `factor` times the ln of a strength, or times the strength itself where that is no product of ratios. */
interface Scale {
  readonly factor: number;
  readonly isLog: boolean;
  readonly offset: number;
}
const LINEAR: Partial<Record<Kind, number>> = { large_trade: 1.5, wash_suspicion: 0.5 };
const SCALES: readonly Scale[] = MARKET_KINDS.map((kind) => {
  const linear = LINEAR[kind];
  if (linear !== undefined) return { factor: linear, isLog: false, offset: 0 };
  if (kind === 'one_sided_flow') return { factor: 3, isLog: true, offset: 3 };
  if (kind === 'rush_orders') return { factor: 1 / 6, isLog: true, offset: 0 };
  if (kind === 'dump') return { factor: 1 / 4, isLog: true, offset: 0 };
  return { factor: kind === 'pump' || kind === 'volume_burst' ? 1 / 3 : 1, isLog: true, offset: 0 };
});

/** Where the forest's score in (0, 1) begins to matter, and how it is stretched there. */
const FOREST_FROM = 0.4;
const FOREST_SCALE = 20;
/** Nats of one-sided flow, and rush orders, that are noise. */
const FLOW_NOISE = 3;
const RUSH_NOISE = 1;
/**
 * Of more orders the largest is larger: the top of n normal deviates is about √(2 ln n), which over the rates of symbols
 * (one order a minute to some a second) and a day grows by this much for each unit of ln n.
 */
const SIZE_A_RATE = 0.22;

export interface Measures {
  readonly windows: Windows;
  readonly orders: Orders;
  readonly excursion: Excursion;
  readonly tops: HourTops;
}

/**
 * Fills `out` with each kind's strength: monotone in the raw score, cheap at every trade. The forest's is not among them.
 * The excursion follows the strongest return, which this finds, and the tops see their quantities: both move on here.
 */
export function strengths(measures: Measures, price: number, time_s: number, out: Float64Array): void {
  const { windows, orders, excursion, tops } = measures;
  const { z, value, mean, inverse } = windows;
  let pump = 0;
  let dump = 0;
  let jump = 0;
  let jumpWindow = 0;
  let volume = 1;
  let rate = 0;
  for (let w = 0; w < WINDOW_COUNT; w++) {
    const v = w * SERIES_COUNT;
    const r = z[v + SERIES.logReturn]!;
    if (r > 0) {
      const p = pumpFactors(z, v) * FACTORS3[w]!;
      if (p > pump) pump = p;
    } else {
      const d = dumpFactors(z, v) * FACTORS4[w]!;
      if (d > dump) dump = d;
    }
    const j = (1 + (r < 0 ? -r : r)) * FACTORS1[w]!;
    if (j > jump) {
      jump = j;
      jumpWindow = w;
    }
    // What one order brought is a large trade, not a burst.
    const rest = value[v + SERIES.quote]! - windows.largest(w) - mean[v + SERIES.quote]!;
    volume *= 1 + positive(rest * inverse[v + SERIES.quote]!);
    const pace = (1 + positive(z[v + SERIES.orders]!)) * FACTORS1[w]!;
    if (pace > rate) rate = pace;
  }
  excursion.push(price, time_s, jump, value[jumpWindow * SERIES_COUNT + SERIES.logReturn]!);
  out[PUMP] = pump;
  out[DUMP] = dump;
  out[FLASH] = excursion.strength;
  out[JUMP] = jump;
  out[LARGE] = orders.size > 0 ? orders.size - SIZE_A_RATE * windows.logOrderRate : 0;
  out[VOLUME] = volume;
  out[RUSH] = rushStrength(measures);
  out[RATE] = rate;
  out[FLOW] = tops.usual[TOP.flow]! > 0 ? (orders.flow + FLOW_NOISE) / (tops.usual[TOP.flow]! + FLOW_NOISE) : 0;
  out[WASH] = Math.max(z[SERIES_COUNT + SERIES.wash]!, z[2 * SERIES_COUNT + SERIES.wash]!);
  tops.see(TOP.rush, value[SERIES_COUNT + SERIES.rush]!);
  tops.see(TOP.quote, value[SERIES_COUNT + SERIES.quote]!);
  tops.see(TOP.flow, orders.flow);
}

/**
 * Rush orders beyond what the volume explains, to the sixth power: against their own history (a geometric mean
 * over the windows) times against the usual top of the hour, each over the root of the same ratio of volume.
 */
function rushStrength({ windows: { z, value }, tops: { usual } }: Measures): number {
  const top = usual[TOP.rush]!;
  if (!(top > 0)) return 0;
  let history = 1;
  for (let w = 0; w < WINDOW_COUNT; w++) {
    const rush = 1 + positive(z[w * SERIES_COUNT + SERIES.rush]!);
    history *= (rush * rush) / (1 + positive(z[w * SERIES_COUNT + SERIES.quote]!));
  }
  const orders = (value[SERIES_COUNT + SERIES.rush]! + RUSH_NOISE) / (top + RUSH_NOISE);
  const volume = Math.max(1, value[SERIES_COUNT + SERIES.quote]! / usual[TOP.quote]!);
  const above = (orders * orders) / volume;
  return history * above * above * above;
}

/** Many buys in many orders and a rise, all three. Who bought before sells into a pump, so net buys would hide it. */
function pumpFactors(z: Float64Array, v: number): number {
  const buys = 1 + positive(z[v + SERIES.buys]!);
  return buys * (1 + positive(z[v + SERIES.orders]!)) * (1 + positive(z[v + SERIES.logReturn]!));
}

/** Many sells in many or rushing orders and a fall, and hardly a buyer: a cascade of sales is one-sided. */
function dumpFactors(z: Float64Array, v: number): number {
  const sells = (1 + positive(z[v + SERIES.sells]!)) * (1 + positive(z[v + SERIES.netSells]!));
  const pace = Math.max(z[v + SERIES.orders]!, z[v + SERIES.rush]!);
  return sells * (1 + positive(pace)) * (1 + positive(-z[v + SERIES.logReturn]!));
}

function positive(z: number): number {
  return z > 0 ? z : 0;
}

/** The raw score behind a strength. */
export function rawOf(kind: number, strength: number): number {
  if (kind === MULTIVARIATE) return strength > FOREST_FROM ? FOREST_SCALE * (strength - FOREST_FROM) : 0;
  const { factor, isLog, offset } = SCALES[kind]!;
  if (!isLog) return factor * strength;
  return strength > 0 ? Math.max(0, offset + factor * log(strength)) : 0;
}

/** The strength at which a kind reaches `raw`: the inverse of `rawOf`. */
export function strengthAt(kind: number, raw: number): number {
  if (kind === MULTIVARIATE) return FOREST_FROM + raw / FOREST_SCALE;
  const { factor, isLog, offset } = SCALES[kind]!;
  return isLog ? exp((raw - offset) / factor) : raw / factor;
}

/** Raw score of having waited `waited` s where a share `active` of seconds has trades. */
export function silenceRaw(active: number, waited: number): number {
  return log(1 + active * waited);
}

/** The first whole second of waiting at which silence reaches `raw`. */
export function silenceDue(active: number, raw: number): number {
  return active > 0 ? Math.ceil((exp(raw) - 1) / active) : Number.POSITIVE_INFINITY;
}

/** Window in which a kind of price is strongest now. */
export function strongestWindow(kind: number, { z }: Windows): number {
  let best = 0;
  let strength = -1;
  for (let w = 0; w < WINDOW_COUNT; w++) {
    const v = w * SERIES_COUNT;
    const r = z[v + SERIES.logReturn]!;
    let x = (1 + Math.abs(r)) * FACTORS1[w]!;
    if (kind === PUMP) x = r > 0 ? pumpFactors(z, v) * FACTORS3[w]! : 0;
    else if (kind === DUMP) x = r < 0 ? dumpFactors(z, v) * FACTORS4[w]! : 0;
    if (x > strength) {
      best = w;
      strength = x;
    }
  }
  return best;
}

/** The z-score that speaks for a kind, for rules that name one; 0 where the kind has none of its own. */
export function leadingZ(kind: number, { windows, excursion }: Measures): number {
  const { z, inverse } = windows;
  const greatest = (series: number, sign: number): number => {
    let best = 0;
    for (let w = 0; w < WINDOW_COUNT; w++) best = Math.max(best, sign * z[w * SERIES_COUNT + series]!);
    return best;
  };
  const up = greatest(SERIES.logReturn, 1);
  const down = greatest(SERIES.logReturn, -1);
  switch (kind) {
    case PUMP:
      return Math.min(up, greatest(SERIES.buys, 1));
    case DUMP:
      return Math.min(down, greatest(SERIES.sells, 1));
    case JUMP:
      return Math.max(up, down);
    case FLASH: {
      const at = (WINDOW_COUNT - 1) * SERIES_COUNT + SERIES.logReturn;
      return excursion.strength > 0 ? Math.abs(log(excursion.extreme / excursion.before)) * inverse[at]! : 0;
    }
    case VOLUME:
      return greatest(SERIES.quote, 1);
    case RATE:
      return greatest(SERIES.orders, 1);
    case RUSH:
      return greatest(SERIES.rush, 1);
    case WASH:
      return greatest(SERIES.wash, 1);
    case FLOW:
      return Math.max(greatest(SERIES.netBuys, 1), greatest(SERIES.netSells, 1));
    case LARGE:
      return z[SERIES.quote]!;
    default:
      return 0;
  }
}
