/**
 * Where each number of a symbol's state lives. The whole state is one Float64Array, so that a snapshot is a copy of
 * its bytes and restoring one gives the same detector bit for bit.
 */

/** Seconds kept one by one: a power of two above the longest fine window. */
export const RING_SECONDS = 64;

/** What is kept of one second. */
export const BUCKET = {
  trades: 0,
  buys: 1,
  quote: 2,
  buyQuote: 3,
  rush: 4,
  largest: 5,
  close: 6,
} as const;
export const BUCKET_FIELDS = 7;

/** Windows scored against their own history, s. */
export const WINDOWS = [5, 15, 60] as const;
/** A window's history is sampled five times a window length. */
export const STRIDES = [1, 3, 12] as const;
/** Samples a window lags behind, so that its baseline never contains the window itself. */
export const LAG = 5;

/** What of each window has a baseline. */
export const SERIES = { buys: 0, sells: 1, netBuys: 2, netSells: 3, logReturn: 4, trades: 5, quote: 6 } as const;
export const SERIES_COUNT = 7;

/** Sums over a window's full seconds, before the current one. */
export const SUM = { trades: 0, buys: 1, quote: 2, buyQuote: 3 } as const;
export const SUMS = 4;

/** The long window: 60 coarse buckets of 15 s. */
export const COARSE_SECONDS = 15;
export const COARSE_BUCKETS = 60;
export const COARSE = { trades: 0, quote: 1, squaredReturn: 2 } as const;
export const COARSE_FIELDS = 3;

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
  open: 6,
  high: 7,
  low: 8,
  volume: 9,
  buyVolume: 10,
  orderTime: 11,
  orderSide: 12,
  orderQuote: 13,
  orderFills: 14,
  /** First second whose windows are whole again after the start, a gap or a halt. */
  wholeFrom: 15,
  halted: 16,
  /** Seconds observed, without decay: warm-up. */
  observed: 17,
  /** Seconds observed, decayed like the counts: calibration. */
  exposure: 18,
  activeFast: 19,
  activeFastWeight: 20,
  activeSlow: 21,
  activeSlowWeight: 22,
  /** UTC hour for which levels are frozen. */
  frozenHour: 23,
  /** Silence already told of, as the level's number. */
  silenceTold: 24,
  coarseIndex: 25,
  coarseTrades: 26,
  coarseQuote: 27,
  coarseSquaredReturn: 28,
  lateTrades: 29,
  faults: 30,
  /** Second up to which due outputs have been given. */
  told: 31,
  quote: 32,
  trades: 33,
  /** 1 between a gap or a halt and the next trade: the time between is neither silence nor history. */
  cut: 34,
} as const;
export const SCALARS = 40;
