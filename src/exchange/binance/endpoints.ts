/** Where Binance is (rest-api.md, web-socket-streams.md, faqs/market_data_only.md), in the order in which it is tried. */
export const WS_ENDPOINTS: readonly string[] = [
  'wss://stream.binance.com:9443',
  'wss://stream.binance.com:443',
  'wss://data-stream.binance.vision',
];
/** The market-data host has no historicalTrades, so it comes last: it repairs only what the last 1,000 trades hold. */
export const REST_ENDPOINTS: readonly string[] = [
  'https://api.binance.com',
  'https://api-gcp.binance.com',
  'https://api1.binance.com',
  'https://data-api.binance.vision',
];
/** Symbols on one connection: far below the 1,024 streams that the exchange allows. */
export const SYMBOLS_A_CONNECTION = 200;
