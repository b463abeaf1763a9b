/**
 * Where each number of a symbol's state lives. The whole state is one Float64Array, so that a snapshot is a copy of
 * its bytes and restoring one gives the same detector bit for bit.
 */

/** Seconds kept one by one: a power of two above the longest window. */
export const RING_SECONDS = 64;

/** What is kept of one second. The first SUMS of them add up over a window. */
export const BUCKET = {
  trades: 0,
  buys: 1,
  quote: 2,
  /** Taker orders: fills of one order share time and side. */
  orders: 3,
  /** Rush orders: those that had two or more fills (La Morgia et al. 2020). */
  rush: 4,
  /** Trades that have one of equal size nearby, and those of them that undo it. */
  pairs: 5,
  undone: 6,
  /** Notional of the largest taker order. */
  largest: 7,
  close: 8,
} as const;
export const BUCKET_FIELDS = 9;
export const SUMS = 7;

/** Windows scored against their own history, s. */
export const WINDOWS = [5, 15, 60] as const;
/** A window's history is sampled five times a window length. */
export const STRIDES = [1, 3, 12] as const;
/** Samples a window lags behind, so that its baseline never contains the window itself. */
export const LAG = 5;

/** What of each window has a baseline. Those from `orders` on need trades: history bars don't tell them. */
export const SERIES = {
  buys: 0,
  sells: 1,
  netBuys: 2,
  netSells: 3,
  logReturn: 4,
  trades: 5,
  quote: 6,
  orders: 7,
  rush: 8,
  wash: 9,
} as const;
export const SERIES_COUNT = 10;
export const FIRST_ORDER_SERIES: number = SERIES.orders;

/** Names of the windows' values, in their order in the state: `window × SERIES_COUNT + series`. */
export const SERIES_NAMES = [
  'buys',
  'sells',
  'net_buys',
  'net_sells',
  'log_return',
  'trades',
  'quote_volume',
  'orders',
  'rush_orders',
  'undone_pairs',
] as const;

/** Scalars of the state. -1 stands for "none yet". */
export const SCALAR = {
  /** Largest timestamp seen or promised, ms. */
  eventTime: 0,
  lastTradeId: 1,
  /** Second of the last trade, the one whose bucket is or was open. */
  second: 2,
  bucketOpen: 3,
  price: 4,
  tick: 5,
  /** First second whose windows are whole again after the start, a gap or a halt. */
  wholeFrom: 6,
  /** The same for what only trades tell. */
  ordersFrom: 7,
  /** Seconds observed, without decay: warm-up. */
  observed: 8,
  /** Seconds observed since the first trade: warm-up of what only trades tell. */
  observedTrades: 9,
  /** Seconds observed, decayed like the counts: calibration. */
  exposure: 10,
  /** UTC hour for which levels are frozen. */
  frozenHour: 11,
  /** Silence already told of, as the level's number. */
  silenceTold: 12,
  lateTrades: 13,
  faults: 14,
  /** Second up to which due outputs have been given. */
  told: 15,
  /** 1 between a gap or a halt and the next trade: the time between is neither silence nor history. */
  cut: 16,
  /** Incidents opened, decayed like the counts: the budget's account. */
  opened: 17,
} as const;
export const SCALARS = 18;
