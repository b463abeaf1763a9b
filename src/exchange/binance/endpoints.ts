/** Where Binance is (rest-api.md, web-socket-streams.md). Market-data hosts have no historicalTrades, so they come last. */
export const WS_ENDPOINTS: readonly string[] = [
  'wss://stream.binance.com:9443',
  'wss://stream.binance.com:443',
  'wss://data-stream.binance.vision',
];
export const REST_ENDPOINTS: readonly string[] = [
  'https://api.binance.com',
  'https://api-gcp.binance.com',
  'https://api1.binance.com',
];
/** Symbols on one connection: far below the 1,024 streams that the exchange allows. */
export const SYMBOLS_A_CONNECTION = 200;
