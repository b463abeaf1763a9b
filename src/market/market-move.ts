/**
 * Moves of the whole market: many symbols alert in one direction within a short time, and are one story. A fold over
 * anomalies in the order (timestamp, symbol, n); nothing it says goes back into detection.
 */
import { type Anomaly, laneOf, SEVERITIES, type Severity } from './records.ts';

export interface MarketMove {
  readonly direction: 'up' | 'down';
  /** Event time of its first and its last record, ms. */
  readonly from: number;
  readonly to: number;
  /** The greatest of its members. */
  readonly severity: Severity;
  /** In the order in which they joined. */
  readonly symbols: readonly string[];
  /** Ids of the records, in their order. */
  readonly members: readonly string[];
}

/** Neighbours may lie this far apart, ms. */
const APART_MS = 30_000;
const LEAST_SYMBOLS = 5;
const LEAST_SHARE = 0.2;

interface Chain {
  readonly direction: 'up' | 'down';
  readonly from: number;
  to: number;
  severity: number;
  readonly symbols: Set<string>;
  readonly members: string[];
}

export class MarketMoves {
  readonly #least: number;
  readonly #chains = new Map<string, Chain>();

  /** `watched` is the number of symbols on the watch list. */
  constructor(watched: number) {
    this.#least = Math.max(LEAST_SYMBOLS, Math.ceil(LEAST_SHARE * watched));
  }

  /** Takes the next record. Returns the move it belongs to as it now stands, null where it belongs to none. */
  push({ id, symbol, timestamp, phase, direction, severity }: Anomaly): MarketMove | null {
    if (phase === 'close' || direction === 'none' || laneOf(id) !== 'market') return null;
    let chain = this.#chains.get(direction);
    if (!chain || timestamp - chain.to > APART_MS) {
      chain = { direction, from: timestamp, to: timestamp, severity: 0, symbols: new Set(), members: [] };
      this.#chains.set(direction, chain);
    }
    chain.to = timestamp;
    chain.severity = Math.max(chain.severity, SEVERITIES.indexOf(severity));
    chain.symbols.add(symbol);
    chain.members.push(id);
    return chain.symbols.size >= this.#least ? moveOf(chain) : null;
  }
}

/** All moves in `anomalies`, by their beginning. */
export function marketMoves(anomalies: readonly Anomaly[], watched: number): MarketMove[] {
  const fold = new MarketMoves(watched);
  const moves = new Map<string, MarketMove>();
  for (const anomaly of anomalies) {
    const move = fold.push(anomaly);
    if (move) moves.set(move.members[0]!, move);
  }
  return [...moves.values()].sort((a, b) => a.from - b.from);
}

function moveOf({ direction, from, to, severity, symbols, members }: Chain): MarketMove {
  return { direction, from, to, severity: SEVERITIES[severity]!, symbols: [...symbols], members: [...members] };
}
