/**
 * Recall by size means something only if a label of size 10 is ten times the record of the hour before. Measured here on
 * the trades themselves, by other code than the simulator's.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TradeText } from '../../src/market/records.ts';
import { KINDS } from '../../src/market/records.ts';
import type { Label } from '../../src/simulator/anomalies.ts';
import { Market } from '../../src/simulator/market-model.ts';
import { longestRun, Seconds, type TakerOrder, takerOrders } from './tape-oracle.ts';

const START = Date.UTC(2026, 0, 5);
const SEED = Number(process.env['TAPEWATCH_SEED'] ?? 1);
const HOURS = 7;

interface Tape {
  readonly ticks: ReadonlyMap<string, number>;
  readonly bySymbol: ReadonlyMap<string, readonly TradeText[]>;
  readonly labels: readonly Label[];
}

function planned(): Tape {
  const market = new Market({ seed: SEED, symbols: 13, startMs: START, anomalies: 'plan' });
  const bySymbol = new Map<string, TradeText[]>(market.symbols.map(({ name }) => [name, []]));
  const untilMs = START + HOURS * 3_600_000;
  for (let more = market.next(untilMs); more.length > 0; more = market.next(untilMs))
    for (const trade of more) bySymbol.get(trade.symbol)!.push(trade);
  const labels = market.labels.filter(({ end }) => end < untilMs);
  const ticks = new Map(market.symbols.map(({ name, tickDecimals }) => [name, 10 ** -tickDecimals]));
  return { ticks, bySymbol, labels };
}

/** What was reached during the label, in multiples of the record of the hour before. */
function sizeOf(label: Label, trades: readonly TradeText[], orders: readonly TakerOrder[], tick: number): number {
  const startUs = Math.round(label.start * 1000);
  const endUs = Math.round(label.end * 1000);
  const second = Math.floor(startUs / 1e6);
  const before = orders.filter(({ us }) => us < startUs && us >= (second - 3600) * 1e6);
  const during = orders.filter(({ us }) => us >= startUs && us <= endUs);
  const hour = new Seconds(orders, second - 3600, second);
  const over = (window: number): Seconds =>
    new Seconds(orders, second - window, Math.floor(endUs / 1e6) + (label.kind === 'flash_crash' ? 0 : 2));
  switch (label.kind) {
    case 'price_jump':
      return over(5).mostReturn(5) / hour.mostReturn(5);
    case 'flash_crash':
      return over(15).mostReturn(15) / hour.mostReturn(15);
    case 'pump':
    case 'dump':
      return over(30).mostReturn(30) / hour.mostReturn(30);
    case 'volume_burst':
      return over(15).most(over(15).quote, 15) / hour.most(hour.quote, 15);
    case 'trade_rate_burst':
      return over(15).most(over(15).trades, 15) / hour.most(hour.trades, 15);
    case 'rush_orders':
      return over(15).most(over(15).rush, 15) / Math.max(1, hour.most(hour.rush, 15));
    case 'large_trade':
      return largest(during) / largest(before);
    case 'one_sided_flow':
      return longestRun(during) / longestRun(before);
    case 'wash_suspicion':
      return pairTimes(during, tick).length / Math.max(1, mostPairs(before, tick, 60));
    case 'silence':
      return (nextAfter(orders, startUs) - startUs) / (3600e6 / before.length) / 10;
    case 'data_fault':
      return missingBefore(trades, startUs) / 10;
    case 'multivariate': {
      const fraction = [
        over(15).most(over(15).trades, 15) / hour.most(hour.trades, 15),
        over(15).most(over(15).quote, 15) / hour.most(hour.quote, 15),
        over(15).mostReturn(15) / hour.mostReturn(15),
      ];
      // The middle one: a usual order of great size may come by chance meanwhile.
      return (label.size * fraction.sort((a, b) => a - b)[1]!) / (Math.sqrt(label.size) / 2);
    }
    default:
      throw new Error(`no size of ${label.kind}`);
  }
}

function largest(orders: readonly TakerOrder[]): number {
  return Math.max(...orders.map(({ quote }) => quote));
}

/** Times of orders that pair with the one just before: the other side, the same volume, at most a tick away. */
function pairTimes(orders: readonly TakerOrder[], tick: number): number[] {
  const times: number[] = [];
  for (let i = 1; i < orders.length; i++) {
    const [a, b] = [orders[i - 1]!, orders[i]!];
    const near = Math.abs(a.first - b.first) < 1.5 * tick;
    if (a.side !== b.side && near && Math.abs(a.volume - b.volume) < 1e-9) times.push(orders[i++]!.us);
  }
  return times;
}

function mostPairs(orders: readonly TakerOrder[], tick: number, window_s: number): number {
  const times = pairTimes(orders, tick);
  return Math.max(0, ...times.map((to) => times.filter((us) => us <= to && us > to - window_s * 1e6).length));
}

function nextAfter(orders: readonly TakerOrder[], startUs: number): number {
  return orders.find(({ us }) => us > startUs)?.us ?? Number.POSITIVE_INFINITY;
}

function missingBefore(trades: readonly TradeText[], us: number): number {
  const at = trades.findIndex(({ timeUs }) => timeUs >= us);
  return trades[at]!.id - trades[at - 1]!.id - 1;
}

test(`labels keep their size: measured on the tape, it is within bounds of the one asked (seed ${SEED})`, () => {
  const { ticks, bySymbol, labels } = planned();
  const orders = new Map([...bySymbol].map(([symbol, trades]) => [symbol, takerOrders(trades)]));
  const wrong: string[] = [];
  for (const label of labels) {
    const { symbol } = label;
    const size = sizeOf(label, bySymbol.get(symbol)!, orders.get(symbol)!, ticks.get(symbol)!);
    // What is usual goes on meanwhile: it adds to a small anomaly more than to a large one.
    if (!(size > 0.7 * label.size && size < 1.4 * label.size + 0.6))
      wrong.push(`${label.kind} of size ${label.size} on ${label.symbol} measures ${size.toFixed(2)}`);
  }
  assert.deepEqual(wrong, []);
  for (const kind of KINDS)
    assert.ok(
      labels.some((label) => label.kind === kind),
      `no ${kind}`,
    );
});
