/** The symbols of the simulated market: names, prices, tick and lot sizes as on the exchange, how busy each is. */

export interface SimulatedSymbol {
  readonly name: string;
  /** First price, in ticks of 10^−tickDecimals. */
  readonly ticks: number;
  readonly tickDecimals: number;
  readonly lotDecimals: number;
  /** Taker orders a second in a usual hour. */
  readonly rate: number;
  /** Median taker order, in the quote asset. */
  readonly order: number;
  /** Deviation of the log return of a usual minute, basis points. */
  readonly volatility_bp: number;
  /** Usual spread, in ticks. */
  readonly spread: number;
}

/** name, ticks, tick decimals, lot decimals, orders a second, median order, volatility, spread */
type Row = readonly [string, number, number, number, number, number, number, number];

const LISTED: readonly Row[] = [
  ['BTCUSDT', 11_234_567, 2, 5, 6, 260, 2.4, 1],
  ['ETHUSDT', 412_345, 2, 4, 5, 220, 4, 1],
  ['SOLUSDT', 22_114, 2, 3, 3, 160, 5, 1],
  ['XRPUSDT', 28_214, 4, 1, 2.5, 140, 4.5, 1],
  ['DOGEUSDT', 25_123, 5, 0, 2, 110, 5, 1],
  ['ADAUSDT', 8123, 4, 1, 1, 90, 5, 1],
  ['TRXUSDT', 3370, 4, 1, 0.7, 60, 2.5, 1],
  ['LINKUSDT', 2214, 2, 2, 0.5, 80, 6, 1],
  ['FILUSDT', 2314, 3, 2, 0.25, 60, 7, 1],
  ['ALGOUSDT', 2101, 4, 0, 0.15, 50, 7, 1],
  ['ONTUSDT', 13_210, 5, 0, 0.08, 45, 9, 5],
  ['STEEMUSDT', 13_470, 5, 0, 0.05, 40, 10, 8],
  ['NULSUSDT', 4612, 5, 0, 0.02, 35, 12, 6],
];

/** Decimals of tick and lot that suit a price of 0.02 to 2000. */
const MADE: readonly (readonly [number, number, number])[] = [
  [21_340, 5, 0],
  [4715, 4, 1],
  [30_250, 4, 1],
  [8420, 3, 2],
  [15_330, 2, 3],
];

/** The first `count` symbols: real names first, then made ones of falling activity. */
export function simulatedSymbols(count: number): SimulatedSymbol[] {
  return Array.from({ length: count }, (_, i) => {
    const [name, ticks, tickDecimals, lotDecimals, rate, order, volatility_bp, spread] = LISTED[i] ?? made(i);
    return { name, ticks, tickDecimals, lotDecimals, rate, order, volatility_bp, spread };
  });
}

function made(i: number): Row {
  const n = i - LISTED.length;
  const [ticks, tickDecimals, lotDecimals] = MADE[n % MADE.length]!;
  const rate = Math.max(0.02, 2 / Math.sqrt(n + 1));
  const volatility = rate > 0.5 ? 5 : rate > 0.1 ? 7 : 10;
  const spread = rate > 0.3 ? 1 : 3;
  return [
    `SIM${String(i).padStart(3, '0')}USDT`,
    ticks + 37 * n,
    tickDecimals,
    lotDecimals,
    rate,
    50 + 60 * rate,
    volatility,
    spread,
  ];
}
