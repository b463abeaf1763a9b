/** What of the measures speaks for a kind: each part with its value, what is usual, its z-score, and its share of the score. */
import { TOP } from '../features/hour-tops.ts';
import { SERIES, SERIES_COUNT } from '../features/layout.ts';
import { VALUES, WINDOW_COUNT, type Windows } from '../features/windows.ts';
import { log } from '../math.ts';
import { KIND_INDEX } from '../surprise/kinds.ts';
import { type Measures, strongestWindow } from '../surprise/raw-scores.ts';
import { FEATURES } from '../surprise/vector.ts';

export interface Part {
  readonly feature: string;
  readonly actual: number;
  readonly expected: readonly [number, number];
  readonly z: number;
  /** Weight in the score, not yet summing to one; 0 where it only describes. */
  readonly size: number;
}

/** Feature parts shown at most. */
const TOLD = 6;

/** Parts of a kind raised by a trade, the weightiest first. `attribution` has the forest's share of each column. */
export function partsOf(kind: number, measures: Measures, attribution: () => Float64Array): readonly Part[] {
  const { windows } = measures;
  switch (kind) {
    case KIND_INDEX.pump:
    case KIND_INDEX.dump: {
      const at = strongestWindow(kind, windows) * SERIES_COUNT;
      const side = kind === KIND_INDEX.pump ? [SERIES.buys] : [SERIES.sells, SERIES.netSells];
      return byWeight([...side, SERIES.orders, SERIES.logReturn].map((series) => valuePart(windows, at + series)));
    }
    case KIND_INDEX.price_jump:
      return [valuePart(windows, strongestWindow(kind, windows) * SERIES_COUNT + SERIES.logReturn)];
    case KIND_INDEX.flash_crash:
      return excursionParts(measures);
    case KIND_INDEX.large_trade:
      return orderParts(measures);
    case KIND_INDEX.volume_burst:
      return overWindows(windows, SERIES.quote);
    case KIND_INDEX.rush_orders:
      return overWindows(windows, SERIES.rush);
    case KIND_INDEX.trade_rate_burst:
      return overWindows(windows, SERIES.orders);
    case KIND_INDEX.wash_suspicion:
      return overWindows(windows, SERIES.wash).slice(0, 2);
    case KIND_INDEX.one_sided_flow:
      return flowParts(measures);
    default:
      return forestParts(measures, attribution());
  }
}

function valuePart({ value, mean, variance, z }: Windows, i: number, size = log(1 + Math.abs(z[i]!))): Part {
  const spread = 2 * Math.sqrt(variance[i]!);
  const signed = i % SERIES_COUNT === SERIES.logReturn || i % SERIES_COUNT === SERIES.wash;
  const low = mean[i]! - spread;
  return {
    feature: FEATURES[i]!,
    actual: value[i]!,
    expected: [signed || low > 0 ? low : 0, mean[i]! + spread],
    z: z[i]!,
    size,
  };
}

function overWindows(windows: Windows, series: number): readonly Part[] {
  const parts: Part[] = [];
  for (let w = 0; w < WINDOW_COUNT; w++) {
    const i = w * SERIES_COUNT + series;
    parts.push(valuePart(windows, i, windows.z[i]! > 0 ? log(1 + windows.z[i]!) : 0));
  }
  return byWeight(parts);
}

function excursionParts({ windows, excursion }: Measures): readonly Part[] {
  const at = (WINDOW_COUNT - 1) * SERIES_COUNT + SERIES.logReturn;
  const usual = valuePart(windows, at);
  const move = log(excursion.extreme / excursion.before);
  const scale = windows.inverse[at]!;
  return [
    { feature: 'excursion_return', actual: move, expected: usual.expected, z: move * scale, size: 1 },
    { ...usual, size: 0 },
  ];
}

function orderParts({ windows, orders }: Measures): readonly Part[] {
  const usual = orders.usualNotional;
  const volume = valuePart(windows, SERIES.quote);
  return [
    { feature: 'order_notional', actual: orders.notional, expected: [0, 3 * usual], z: orders.size, size: 1 },
    { ...volume, size: 0 },
  ];
}

function flowParts({ windows, orders, tops }: Measures): readonly Part[] {
  const buying = orders.buyFlow > orders.sellFlow;
  const at = (WINDOW_COUNT - 1) * SERIES_COUNT + (buying ? SERIES.netBuys : SERIES.netSells);
  const net = valuePart(windows, at);
  return [
    { feature: 'one_sided_flow', actual: orders.flow, expected: [0, tops.usual[TOP.flow]!], z: net.z, size: 1 },
    { ...net, size: 0 },
  ];
}

function forestParts(measures: Measures, attribution: Float64Array): readonly Part[] {
  const { windows, orders } = measures;
  const parts: Part[] = [];
  for (let i = 0; i < attribution.length; i++) {
    const size = attribution[i]!;
    if (i < VALUES) parts.push(valuePart(windows, i, size));
    else if (i === VALUES) {
      parts.push({ feature: FEATURES[i]!, actual: orders.size, expected: [0, 2], z: orders.size, size });
    } else {
      parts.push({ feature: FEATURES[i]!, actual: orders.flow, expected: [0, 3], z: 0, size });
    }
  }
  return byWeight(parts).slice(0, TOLD);
}

/** The weightiest first; ties in the order given. */
function byWeight(parts: readonly Part[]): readonly Part[] {
  return [...parts].sort((a, b) => b.size - a.size);
}
