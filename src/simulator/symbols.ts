/** The symbols of the simulated market: names, tick and lot sizes as on the exchange, how busy each is. */

export interface SimulatedSymbol {
  readonly name: string;
  /** First price, in ticks. */
  readonly ticks: number;
  readonly tickDecimals: number;
  readonly lotDecimals: number;
  /** Taker orders a second in a usual hour. */
  readonly rate: number;
  /** Mean order, in lots. */
  readonly lots: number;
}

const LISTED: readonly (readonly [string, number, number, number, number, number])[] = [
  ['BTCUSDT', 11_234_567, 2, 5, 6, 3000],
  ['ETHUSDT', 412_345, 2, 4, 5, 2500],
  ['SOLUSDT', 22_114, 2, 3, 3, 4000],
  ['XRPUSDT', 28_214, 4, 1, 2.5, 4000],
  ['DOGEUSDT', 25_123, 5, 0, 2, 900],
  ['TRXUSDT', 3370, 4, 1, 1, 9000],
  ['ADAUSDT', 8123, 4, 1, 0.8, 3000],
  ['LINKUSDT', 2214, 2, 2, 0.5, 1200],
  ['FILUSDT', 2314, 3, 2, 0.25, 2500],
  ['ALGOUSDT', 2101, 4, 0, 0.15, 400],
];

/** The first `count` symbols: real names first, then made ones of falling activity. */
export function simulatedSymbols(count: number): SimulatedSymbol[] {
  return Array.from({ length: count }, (_, i) => {
    const listed = LISTED[i];
    if (listed) {
      const [name, ticks, tickDecimals, lotDecimals, rate, lots] = listed;
      return { name, ticks, tickDecimals, lotDecimals, rate, lots };
    }
    const rate = Math.max(0.02, 3 / Math.sqrt(i - LISTED.length + 2));
    return {
      name: `SIM${String(i).padStart(3, '0')}USDT`,
      ticks: 1000 + 137 * i,
      tickDecimals: 4,
      lotDecimals: 1,
      rate,
      lots: 1500,
    };
  });
}
