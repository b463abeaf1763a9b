/**
 * Incidents of one symbol: at most one open a lane. What is rarer than the opening level opens one; a severity above its
 * highest escalates it; a kind that joins, or rises below that, updates it; ten quiet minutes close it.
 */
import type { Lane, Phase } from '../../market/records.ts';

const FIELD = {
  open: 0,
  anchorId: 1,
  /** The second that opened it, or -1 where a trade did. */
  anchorSecond: 2,
  records: 3,
  severity: 4,
  topKind: 5,
  topRaw: 6,
  firstTradeId: 7,
  lastAbove: 8,
  direction: 9,
} as const;
const FIELDS = 10;
export const INCIDENT_KINDS = 16;
/** Doubles an incident takes: its fields, and the severity at which each kind stands (-1: not joined). */
export const INCIDENT_STATE: number = FIELDS + INCIDENT_KINDS;

export class Incident {
  readonly #lane: Lane;
  readonly #s: Float64Array;

  constructor(lane: Lane, state: Float64Array) {
    this.#lane = lane;
    this.#s = state;
  }

  get isOpen(): boolean {
    return this.#s[FIELD.open] === 1;
  }
  /** Second of event time when it was last at or above the level. */
  get lastAbove(): number {
    return this.#s[FIELD.lastAbove]!;
  }
  get severity(): number {
    return this.#s[FIELD.severity]!;
  }
  get topKind(): number {
    return this.#s[FIELD.topKind]!;
  }
  get topRaw(): number {
    return this.#s[FIELD.topRaw]!;
  }
  get firstTradeId(): number {
    return this.#s[FIELD.firstTradeId]!;
  }
  get direction(): number {
    return this.#s[FIELD.direction]!;
  }
  set lastAbove(second: number) {
    this.#s[FIELD.lastAbove] = second;
  }

  /** What a kind at `severity` does to the incident, if anything. Records it. */
  raise(kind: number, severity: number, raw: number): Phase | null {
    const s = this.#s;
    const before = s[FIELDS + kind]!;
    if (!this.isOpen || severity > s[FIELD.severity]!) {
      const phase = this.isOpen ? 'escalate' : 'open';
      if (phase === 'open') for (let k = 0; k < INCIDENT_KINDS; k++) s[FIELDS + k] = -1;
      s[FIELD.open] = 1;
      s[FIELD.severity] = severity;
      s[FIELD.topKind] = kind;
      s[FIELD.topRaw] = raw;
      s[FIELDS + kind] = severity;
      return phase;
    }
    if (severity <= before) return null;
    s[FIELDS + kind] = severity;
    return 'update';
  }

  /** Names a new incident after the trade, or the second (after `tradeId`), that opened it. */
  anchor(tradeId: number, second: number, firstTradeId: number, direction: number): void {
    this.#s[FIELD.anchorId] = tradeId;
    this.#s[FIELD.anchorSecond] = second;
    this.#s[FIELD.firstTradeId] = firstTradeId;
    this.#s[FIELD.direction] = direction;
    this.#s[FIELD.records] = 0;
  }

  /** The id of the incident's next record. */
  nextId(symbol: string): string {
    const s = this.#s;
    const n = s[FIELD.records]!;
    s[FIELD.records] = n + 1;
    const second = s[FIELD.anchorSecond]!;
    return `${symbol}:${this.#lane}:${s[FIELD.anchorId]}${second < 0 ? '' : `@${second}`}:${n}`;
  }

  close(): void {
    this.#s[FIELD.open] = 0;
  }
}
