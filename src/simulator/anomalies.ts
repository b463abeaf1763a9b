/**
 * Labelled anomalies: for each kind the extra orders, the price path, the silence or the hole that make one of a size.
 * Size s means s times the symbol's own record of the hour before in the quantity that defines the kind:
 *
 * | kind | quantity | window |
 * |---|---|---|
 * | price_jump | absolute log return; the new price stays | 5 s |
 * | flash_crash | absolute log return; 60 to 95 % is retraced within 20 s | 15 s |
 * | pump, dump | log return up or down, quote volume, and rush orders of that side, each; then a third to two thirds is given back | 30 s |
 * | volume_burst | quote volume, in more orders than usual but fewer than twice the record or 2 s | 15 s |
 * | trade_rate_burst | trades, most below the median order | 15 s |
 * | rush_orders | taker orders of several fills, together no more than the record of volume | 15 s |
 * | large_trade | notional of one taker order | — |
 * | one_sided_flow | taker orders of one side in a row, and no others, at twice the usual rate | — |
 * | wash_suspicion | orders followed at once by one of equal size on the other side at the same price | 60 s |
 * | multivariate | volume, trades, rush orders and a return against the flow, each at √s / 2 of its record | 15 s |
 * | silence | no record, but ten times the usual (mean) wait between orders, times s | — |
 * | data_fault | ten times s ids are missing | — |
 */
import type { Kind } from '../market/records.ts';
import type { Draws } from './draws.ts';
import type { HourRecords } from './hour.ts';
import type { SimulatedSymbol } from './symbols.ts';

export interface Label {
  readonly symbol: string;
  readonly kind: Kind;
  readonly size: number;
  /** Simulated time of the first trade that belongs to it (of a silence: the last before it), and its end, ms. */
  readonly start: number;
  readonly end: number;
  readonly direction?: 'up' | 'down';
}

/** A taker order that an anomaly adds to the usual ones. */
export interface ScriptedOrder {
  readonly us: number;
  readonly buy: boolean;
  readonly lots: number;
  readonly fills: number;
  /** Levels it walks through. */
  readonly levels: number;
  /** Where it trades: at bid or ask, between them, or at the price of the order before. */
  readonly at: 'quote' | 'inside' | 'last';
  /** Ids missing on the tape before it. */
  readonly missingBefore?: number;
}

/** What happens to a symbol, from its first order to its end. */
export interface Script {
  readonly orders: readonly ScriptedOrder[];
  /** The price in ticks by time, linear between the points; while it lasts nothing else moves the price. */
  readonly path: readonly (readonly [us: number, ticks: number])[];
  /** No usual order comes until then. */
  readonly aloneUntilUs: number;
  /** Where it isn't the first order that belongs to it. */
  readonly startUs?: number;
  readonly endUs: number;
  readonly direction?: 'up' | 'down';
}

export interface Scene {
  readonly spec: SimulatedSymbol;
  readonly us: number;
  /** Last price, ticks. */
  readonly ticks: number;
  readonly records: HourRecords;
  readonly draws: Draws;
}

const SILENCE_USUAL_WAITS = 10;
const MISSING_IDS = 10;
const NOTHING: Omit<Script, 'endUs'> = { orders: [], path: [], aloneUntilUs: 0 };

type Play = (scene: Scene, size: number) => Script;

export function scriptOf(kind: Kind, size: number, scene: Scene): Script {
  return PLAYS[kind](scene, size);
}

const PLAYS: Readonly<Record<Kind, Play>> = {
  price_jump: (scene, size) => {
    const up = scene.draws.next() < 0.5;
    const path = pathOf(scene, (up ? 1 : -1) * size * scene.records.window(5).logReturn, [[3, 1]]);
    const orders = spread(scene, 3, 8, () => ({ buy: up, lots: modest(scene), fills: 1 }));
    return { ...NOTHING, orders, path, endUs: endOf(scene, 3), direction: up ? 'up' : 'down' };
  },
  flash_crash: (scene, size) => {
    const kept = 0.05 + 0.35 * scene.draws.next();
    const path = pathOf(scene, -size * scene.records.window(15).logReturn, [
      [7, 1],
      [9, 1],
      [25, kept],
    ]);
    const turn = scene.us + 8e6;
    const orders = spread(scene, 25, 40, (us) => ({ buy: us > turn, lots: modest(scene), fills: 1 }));
    return { ...NOTHING, orders, path, endUs: endOf(scene, 25), direction: 'down' };
  },
  pump: (scene, size) => push(scene, size, true),
  dump: (scene, size) => push(scene, size, false),
  volume_burst: (scene, size) => {
    const { draws } = scene;
    const { quote, trades, usualQuote } = scene.records.window(15);
    const count = Math.ceil(Math.max(6, 2 * size, Math.min(trades, 60)));
    const lots = lotsOf(scene, Math.max(0, size * quote - usualQuote) / count);
    const orders = spread(scene, 12, count, () => order(draws, lots, 1));
    return { ...NOTHING, orders, endUs: endOf(scene, 12) };
  },
  trade_rate_burst: (scene, size) => {
    const { draws } = scene;
    const { trades, usualTrades } = scene.records.window(15);
    const count = Math.max(2, Math.round(size * trades - usualTrades));
    const small = modest(scene) / 2;
    const orders = spread(scene, 12, count, () => order(draws, small * Math.exp(draws.normal()), 1));
    return { ...NOTHING, orders, endUs: endOf(scene, 12) };
  },
  rush_orders: (scene, size) => {
    const { draws } = scene;
    const { quote, rush } = scene.records.window(15);
    const count = Math.round(size * Math.max(1, rush));
    const lots = lotsOf(scene, (0.6 * quote) / count);
    const orders = spread(scene, 12, count, () => order(draws, lots, 3 + draws.below(4)));
    return { ...NOTHING, orders, endUs: endOf(scene, 12) };
  },
  large_trade: (scene, size) => {
    const { draws } = scene;
    const lots = lotsOf(scene, size * scene.records.largestOrder);
    const one = { ...order(draws, lots, 5 + draws.below(15)), us: scene.us, levels: 2, at: 'quote' as const };
    return { ...NOTHING, orders: [one], endUs: scene.us, direction: one.buy ? 'up' : 'down' };
  },
  one_sided_flow: (scene, size) => {
    const { draws, records } = scene;
    const buy = draws.next() < 0.5;
    const run = Math.max(3, Math.round(size * records.longestRun));
    const seconds = Math.min(300, Math.max(5, (run * records.usualWait_s) / 2));
    const orders = spread(scene, seconds, run, () => ({
      buy,
      lots: modest(scene) * Math.exp(draws.normal()),
      fills: 1,
    }));
    const endUs = endOf(scene, seconds);
    return { ...NOTHING, orders, aloneUntilUs: endUs, endUs, direction: buy ? 'up' : 'down' };
  },
  wash_suspicion: (scene, size) => {
    const { draws, records } = scene;
    const { pairs, quote } = records.window(60);
    const count = Math.round(size * Math.max(1, pairs));
    const lots = Math.max(2, Math.round(Math.min(3 * modest(scene), lotsOf(scene, (0.5 * quote) / (2 * count)))));
    const orders = spread(scene, 50, count, () => order(draws, lots, 1), true).flatMap((first) => [
      { ...first, at: 'inside' as const },
      { ...first, at: 'last' as const, us: first.us + 1 + draws.below(900), buy: !first.buy },
    ]);
    return { ...NOTHING, orders: inTime(orders), endUs: endOf(scene, 50) + 1000 };
  },
  multivariate: (scene, size) => {
    const { draws } = scene;
    const share = Math.sqrt(size) / 2;
    const { logReturn, quote, trades, rush, usualTrades, usualQuote } = scene.records.window(15);
    const rising = draws.next() < 0.5;
    let multiple = Math.round(share * rush);
    const count = Math.max(2, Math.round(share * trades - usualTrades) - multiple);
    const lots = lotsOf(scene, Math.max(0, share * quote - usualQuote) / count);
    const orders = spread(scene, 12, count, () => {
      const fills = multiple-- > 0 ? 2 : 1;
      return { buy: draws.next() < 0.2 === rising, lots, fills };
    });
    const path = pathOf(scene, (rising ? 1 : -1) * share * logReturn, [[12, 1]]);
    return { ...NOTHING, orders, path, endUs: endOf(scene, 12) };
  },
  silence: ({ us, records }, size) => {
    const endUs = us + Math.round(size * SILENCE_USUAL_WAITS * records.usualWait_s * 1e6);
    return { ...NOTHING, aloneUntilUs: endUs, endUs };
  },
  // Just after a trade, so that nothing else falls due between that trade and the hole.
  data_fault: (scene, size) => {
    const [before, after] = spread(scene, 0.001, 2, () => order(scene.draws, modest(scene), 1)) as [
      ScriptedOrder,
      ScriptedOrder,
    ];
    const orders = [before, { ...after, missingBefore: Math.round(MISSING_IDS * size) }];
    return { ...NOTHING, orders, startUs: after.us, endUs: after.us };
  },
};

/** Price, volume and rush orders of one side together, then part of the move is given back. */
function push(scene: Scene, size: number, up: boolean): Script {
  const { draws, us } = scene;
  const { logReturn, quote, rush, usualQuote } = scene.records.window(30);
  const count = Math.max(8, Math.round(size * Math.max(1, rush)));
  const lots = lotsOf(scene, Math.max(0, size * quote - usualQuote) / count);
  const back = 1 - (0.33 + 0.33 * draws.next());
  const path = pathOf(scene, (up ? 1 : -1) * size * logReturn, [
    [24, 1],
    [30, 1],
    [75, back],
  ]);
  const rise = spread(scene, 24, count, () => ({ buy: up === draws.next() < 0.93, lots, fills: 2 + draws.below(4) }));
  const later = { ...scene, us: us + 30e6 };
  const reversal = spread(later, 45, Math.ceil(count / 3), () => ({
    buy: up === draws.next() < 0.25,
    lots: lots / 2,
    fills: 1,
  }));
  return { ...NOTHING, orders: [...rise, ...reversal], path, endUs: endOf(scene, 75), direction: up ? 'up' : 'down' };
}

function order(draws: Draws, lots: number, fills: number): Pick<ScriptedOrder, 'buy' | 'lots' | 'fills'> {
  return { buy: draws.next() < 0.5, lots, fills };
}

/**
 * `count` orders within `seconds`, at random but for the first, which begins it, and the last, which ends it. Unless they
 * are to be `equal` their sizes differ: equal ones are what wash trades have.
 */
function spread(
  { us, draws }: Scene,
  seconds: number,
  count: number,
  make: (us: number) => Pick<ScriptedOrder, 'buy' | 'lots' | 'fills'>,
  equal = false,
): ScriptedOrder[] {
  const times = Float64Array.from({ length: count }, () => draws.next()).sort();
  return Array.from(times, (share, i) => {
    const at = us + Math.round((i === 0 ? 0 : i === count - 1 ? 1 : share) * seconds * 1e6);
    const { buy, lots: mean, fills } = make(at);
    const lots = Math.max(1, Math.round(equal ? mean : mean * (0.5 + draws.next())));
    return { us: at, buy, lots, fills, levels: 0, at: 'quote' };
  });
}

function inTime(orders: readonly ScriptedOrder[]): ScriptedOrder[] {
  return [...orders].sort((a, b) => a.us - b.us);
}

/** Points at `seconds` after the start, each at a share of the whole log return, which is at least one tick. */
function pathOf(
  { us, ticks }: Scene,
  logReturn: number,
  points: readonly (readonly [seconds: number, share: number])[],
): [number, number][] {
  const target = ticks * Math.exp(logReturn);
  const whole = logReturn > 0 ? Math.max(ticks + 1, target) : Math.max(1, Math.min(ticks - 1, target));
  const at = points.map(([seconds, share]): [number, number] => [
    us + Math.round(seconds * 1e6),
    Math.max(1, Math.round(ticks + share * (whole - ticks))),
  ]);
  return [[us, ticks], ...at];
}

function lotsOf({ spec, ticks }: Scene, quote: number): number {
  return Math.max(1, Math.round(quote / (ticks * 10 ** (-spec.tickDecimals - spec.lotDecimals))));
}

/** A usual order, in lots. */
function modest(scene: Scene): number {
  return lotsOf(scene, scene.spec.order);
}

function endOf({ us }: Scene, seconds: number): number {
  return us + Math.round(seconds * 1e6);
}
