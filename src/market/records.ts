/** What stands on a tape: trades, and the control records between them. */

export type Side = 'buy' | 'sell';

/** A trade as detection sees it. `side` is the taker's; `volume` is in the base asset. */
export interface Trade {
  /** Trade time, ms since the epoch, microseconds as fraction. */
  readonly timestamp: number;
  readonly symbol: string;
  readonly id: number;
  readonly price: number;
  readonly volume: number;
  readonly side: Side;
}

/** A trade with the exchange's own digits, as capture, the simulator and tape files write it. */
export interface TradeText {
  /** Trade time in µs since the epoch (a safe integer until the year 2255). */
  readonly timeUs: number;
  readonly symbol: string;
  readonly id: number;
  readonly price: string;
  readonly volume: string;
  readonly side: Side;
}

/** Ids `first`…`last` of `symbol` are missing for good, or (`pause`) the tape stood still between two files. */
export interface Gap {
  readonly type: 'gap';
  readonly symbol: string;
  /** Event time of the next trade after the gap, ms. */
  readonly timestamp: number;
  /** First and last missing id; both null where ids are unknown. */
  readonly first: number | null;
  readonly last: number | null;
  readonly reason: 'hole' | 'not_on_exchange' | 'repair_limit' | 'pause';
  /** Event time up to which the tape is known to be whole, ms: no heartbeat before the gap promises more. */
  readonly since?: number;
  readonly epoch?: number;
}

export interface Status {
  readonly type: 'status';
  readonly symbol: string;
  readonly timestamp: number;
  readonly status: 'halted' | 'resumed' | 'lost' | 'connected';
  readonly epoch?: number;
}

/** One second of history from before the first live trade: learned from, never alerted on. */
export interface HistoryBar {
  readonly type: 'bar';
  readonly symbol: string;
  /** Start of the second, ms. */
  readonly timestamp: number;
  readonly open: number;
  readonly high: number;
  readonly low: number;
  readonly close: number;
  /** Base-asset volume. */
  readonly volume: number;
  readonly quoteVolume: number;
  readonly trades: number;
  /** Base-asset volume bought by takers. */
  readonly takerBuyVolume: number;
  readonly epoch?: number;
}

/** A user's verdict on one anomaly: it lowers that kind for that symbol. */
export interface Feedback {
  readonly type: 'feedback';
  readonly symbol: string;
  readonly timestamp: number;
  readonly anomaly: string;
  readonly kind: string;
  readonly verdict: 'not_interesting' | 'interesting';
}

/** No trade of this partition stamped before `timestamp` follows. */
export interface Heartbeat {
  readonly type: 'heartbeat';
  readonly timestamp: number;
  readonly epoch?: number;
}

/** From `from` on (each symbol's first trade or second) this model and these settings are in force. */
export interface Activate {
  readonly type: 'activate';
  /** `sha256:…` of the artefact; null keeps the one in force. */
  readonly model: string | null;
  /** The detection settings in full; null keeps those in force. */
  readonly settings: DetectionSettings | null;
  /** Event time, ms. */
  readonly from: number;
}

export type SymbolControl = Gap | Status | HistoryBar | Feedback;
export type PartitionControl = Heartbeat | Activate;
export type ControlRecord = SymbolControl | PartitionControl;
export type TapeRecord = Trade | ControlRecord;

export function isTrade(record: TapeRecord): record is Trade {
  return !('type' in record);
}

/** A fixed rule beside the budget; absent fields match everything. */
export interface Rule {
  readonly symbol?: string;
  readonly kind?: string;
  /** |z| above this raises the kind whatever the budget says. */
  readonly zscore?: number;
  /** Least quote notional of the last 60 s for an alert of this symbol or kind. */
  readonly minNotional?: number;
  readonly direction?: 'up' | 'down';
  /** Daily UTC periods `HH:MM-HH:MM` without alerts. */
  readonly muted?: readonly string[];
}

/** What, besides the tape and the model, decides anomalies. Carried by `activate`, hashed into evidence. */
export interface DetectionSettings {
  /** Incidents opened per symbol-day that somebody will read. */
  readonly budget: number;
  /** Event time below the opening level after which an incident closes, s. */
  readonly close_after_s: number;
  readonly rules: readonly Rule[];
}

export const KINDS = [
  'price_jump',
  'flash_crash',
  'volume_burst',
  'trade_rate_burst',
  'rush_orders',
  'large_trade',
  'one_sided_flow',
  'pump',
  'dump',
  'silence',
  'wash_suspicion',
  'data_fault',
  'multivariate',
] as const;
export type Kind = (typeof KINDS)[number];

export const SEVERITIES = ['notice', 'warning', 'critical'] as const;
export type Severity = (typeof SEVERITIES)[number];

export type Phase = 'open' | 'escalate' | 'update' | 'close';
export type Lane = 'market' | 'data';

/** One record of an incident, the same on the topic, over HTTP and from `backtest`. Field order is the wire order. */
export interface Anomaly {
  readonly id: string;
  readonly symbol: string;
  readonly timestamp: number;
  readonly kind: Kind;
  readonly phase: Phase;
  readonly severity: Severity;
  readonly score: number;
  readonly return_period_s: number;
  readonly direction: 'up' | 'down' | 'none';
  readonly zscore: number;
  readonly forest: number;
  readonly actual: Readonly<Record<string, number>>;
  readonly expected: Readonly<Record<string, readonly [number, number]>>;
  readonly contributions: readonly { readonly feature: string; readonly share: number }[];
  readonly summary: string;
  readonly evidence: {
    readonly firstTradeId: number;
    readonly lastTradeId: number;
    readonly model: string;
    readonly settings: string;
    readonly detector: string;
  };
}

/** One second with trades. `score` and `level` are the strongest score of the second and the level in force. */
export interface Bar {
  readonly symbol: string;
  /** Start of the second, ms. */
  readonly timestamp: number;
  readonly open: number;
  readonly high: number;
  readonly low: number;
  readonly close: number;
  readonly volume: number;
  readonly quoteVolume: number;
  readonly trades: number;
  readonly takerBuyVolume: number;
  readonly score: number;
  readonly level: number;
}

/** The name of an incident: `symbol:lane:anchor`, an anomaly id without its counter. */
export function incidentOf(anomalyId: string): string {
  return anomalyId.slice(0, anomalyId.lastIndexOf(':'));
}

/** The lane of an anomaly or incident id, which stands after the symbol. */
export function laneOf(id: string): Lane {
  return id.includes(':data:') ? 'data' : 'market';
}
