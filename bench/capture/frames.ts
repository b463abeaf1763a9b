/** Frames in the exchange's form, made: ids without a hole, prices and volumes of usual length. */
export const SYMBOLS = ['BTCUSDT', 'ETHUSDT', 'SOLUSDT', 'XRPUSDT', 'DOGEUSDT'];

export function frameOf(i: number): string {
  const symbol = SYMBOLS[i % SYMBOLS.length]!;
  const id = 5_211_234_567 + Math.floor(i / SYMBOLS.length);
  const time = 1_760_130_000_000_000 + i * 137;
  const price = (112_345 + (i % 1000) / 100).toFixed(8);
  const volume = ((1 + (i % 977)) / 1000).toFixed(8);
  return `{"stream":"${symbol.toLowerCase()}@trade","data":{"e":"trade","E":${time},"s":"${symbol}","t":${id},"p":"${price}","q":"${volume}","T":${time},"m":${i % 3 === 0},"M":true}}`;
}
