/** A tape's records to the detectors of its symbols: who sees which record, which control records count, what is in force. */
import { type Output, type Policy, SymbolDetector } from '../detection/detector.ts';
import {
  type Activate,
  type DetectionSettings,
  isTrade,
  type SymbolControl,
  type TapeRecord,
} from '../market/records.ts';

export interface TapeDetectorOptions {
  /** In force until the tape's first activation. */
  readonly policy: Policy;
  readonly output: Output;
  /** The policy an activation asks for; null where it asks for what there is not, or the caller overrides the tape. */
  readonly resolve?: Resolve;
}

/** What `model` and `settings` (null: those of `before`) stand for; null where the model is unknown or settings are wrong. */
export type Resolve = (wanted: Wanted, before: Policy) => Policy | null;
export type Wanted = Pick<Activate, 'model' | 'settings'>;

/** An activation as a partition remembers it: at `offset`, for event times of `from` (ms) and later. */
export interface Activation {
  readonly offset: number;
  readonly from: number;
  readonly model: string;
  readonly settings: DetectionSettings;
}

/** What of a partition's detector is not a symbol's: kept with the partition's snapshot. Never changed, only replaced. */
export interface PartitionState {
  /** The highest epoch seen: control records of a lower one are a zombie's. */
  readonly epoch: number;
  /** The largest heartbeat, ms. */
  readonly promised: number;
  /** By offset, and by `from` too: a later one makes void what it precedes. */
  readonly activations: readonly Activation[];
}

/** A symbol's detector as a snapshot holds it. */
export interface SymbolState {
  readonly policy: Policy;
  readonly state: Float64Array;
  /** Offset of the symbol's next record: what stands before is in `state`. */
  readonly offset: number;
  /** Offset of the activation that the symbol reached last; -1 where none. */
  readonly reached: number;
}

interface Seat {
  readonly detector: SymbolDetector;
  readonly offset: number;
  reached: number;
  /** Event time of the next activation, ms: derived. */
  next: number;
}

const NO_STATE: PartitionState = { epoch: 0, promised: 0, activations: [] };
/** Beyond this many the oldest are forgotten: a symbol first seen later begins with the oldest that is left. */
const ACTIVATIONS_MAX = 64;

export class TapeDetector {
  readonly #options: TapeDetectorOptions;
  readonly #seats = new Map<string, Seat>();
  #state = NO_STATE;
  /** The policies of `#state.activations`, one each. */
  #policies: readonly Policy[] = [];
  #next = 0;
  trades = 0;

  constructor(options: TapeDetectorOptions) {
    this.#options = options;
  }

  get detectors(): ReadonlyMap<string, SymbolDetector> {
    return new Map([...this.#seats].map(([symbol, { detector }]) => [symbol, detector]));
  }

  /** `offset` is the record's in its log; a tape of files counts for itself. False where an activation can't be followed. */
  push(record: TapeRecord, offset: number = this.#next): boolean {
    this.#next = offset + 1;
    if (isTrade(record)) {
      this.trades++;
      const seat = this.#of(record.symbol);
      if (offset < seat.offset) return true;
      if (record.timestamp >= seat.next) this.#switch(seat, record.timestamp);
      seat.detector.trade(record);
      return true;
    }
    const epoch = 'epoch' in record ? record.epoch : undefined;
    if (epoch !== undefined && epoch !== this.#state.epoch) {
      if (epoch < this.#state.epoch) return true;
      this.#state = { ...this.#state, epoch };
    }
    if (record.type === 'activate') return this.#activate(record, offset);
    if (record.type === 'heartbeat') this.#heartbeat(record.timestamp, offset);
    else this.#control(record, offset);
    return true;
  }

  #heartbeat(timestamp: number, offset: number): void {
    if (timestamp > this.#state.promised) this.#state = { ...this.#state, promised: timestamp };
    for (const seat of this.#seats.values()) {
      if (offset < seat.offset) continue;
      if (timestamp >= seat.next) this.#switch(seat, timestamp);
      seat.detector.heartbeat(timestamp);
    }
  }

  #control(record: SymbolControl, offset: number): void {
    // For people, and stamped by a clock: nothing a detector may see.
    if (record.type === 'status' && (record.status === 'lost' || record.status === 'connected')) return;
    const seat = this.#of(record.symbol);
    if (offset < seat.offset) return;
    // Across a gap nothing is known, so nothing may be told: the switch waits for what follows it.
    const known = record.type === 'gap' ? (record.since ?? 0) : record.timestamp;
    // Feedback is stamped by a clock; it counts from its place on the tape.
    if (record.type !== 'feedback' && known >= seat.next) this.#switch(seat, known);
    if (record.type === 'gap') seat.detector.gap(record);
    else if (record.type === 'status') seat.detector.status(record);
    else if (record.type === 'bar') seat.detector.bar(record);
    else seat.detector.feedback(record);
  }

  get partitionState(): PartitionState {
    return this.#state;
  }

  /** Takes over a partition's snapshot; an activation whose model is gone is left out. */
  set partitionState(state: PartitionState) {
    const policies: Policy[] = [];
    const activations = state.activations.filter((activation) => {
      const policy = this.#options.resolve?.(activation, policies.at(-1) ?? this.#options.policy) ?? null;
      if (policy) policies.push(policy);
      return policy !== null;
    });
    this.#state = { epoch: state.epoch, promised: state.promised, activations };
    this.#policies = policies;
    // What a replay without offsets counts goes on from here, so that later activations stand later.
    this.#next = Math.max(this.#next, (activations.at(-1)?.offset ?? -1) + 1);
    for (const seat of this.#seats.values()) this.#findNext(seat);
  }

  /** Takes over a symbol's snapshot. */
  restore(symbol: string, { policy, state, offset, reached }: SymbolState): void {
    const detector = new SymbolDetector(symbol, policy, this.#options.output, state);
    const seat = { detector, offset, reached, next: Number.POSITIVE_INFINITY };
    this.#findNext(seat);
    this.#seats.set(symbol, seat);
    this.#next = Math.max(this.#next, offset);
  }

  /** What a snapshot of a symbol at `offset` holds; `state` is the detector's own, not a copy. */
  symbolState(symbol: string, offset: number): SymbolState | null {
    const seat = this.#seats.get(symbol);
    return seat ? { policy: seat.detector.policy, state: seat.detector.state, offset, reached: seat.reached } : null;
  }

  /** -1 where the symbol had no trade. */
  lastTradeId(symbol: string): number {
    return this.#seats.get(symbol)?.detector.lastTradeId ?? -1;
  }

  #of(symbol: string): Seat {
    let seat = this.#seats.get(symbol);
    if (!seat) {
      const detector = new SymbolDetector(symbol, this.#options.policy, this.#options.output);
      seat = { detector, offset: 0, reached: -1, next: Number.POSITIVE_INFINITY };
      this.#findNext(seat);
      this.#seats.set(symbol, seat);
    }
    return seat;
  }

  /** Adopts what is in force at event time `timestamp`, one activation after the other. */
  #switch(seat: Seat, timestamp: number): void {
    for (const [i, { offset, from }] of this.#state.activations.entries()) {
      if (offset <= seat.reached) continue;
      if (from > timestamp) break;
      seat.detector.adopt(this.#policies[i]!, from);
      seat.reached = offset;
    }
    this.#findNext(seat);
  }

  #findNext(seat: Seat): void {
    const next = this.#state.activations.find(({ offset }) => offset > seat.reached);
    seat.next = next ? next.from : Number.POSITIVE_INFINITY;
  }

  #activate(record: Activate, offset: number): boolean {
    const { resolve } = this.#options;
    if (!resolve) return true;
    const policy = resolve(record, this.#policies.at(-1) ?? this.#options.policy);
    if (!policy) return false;
    // What heartbeats have promised was told by what was in force: an activation that comes too late begins after it.
    const from = Math.max(record.from, this.#state.promised);
    const keep = this.#state.activations.findIndex((before) => before.from >= from);
    const kept = keep < 0 ? this.#state.activations.length : keep;
    const first = Math.max(0, kept + 1 - ACTIVATIONS_MAX);
    const activation = { offset, from, model: policy.artefact.id, settings: policy.settings };
    this.#state = { ...this.#state, activations: [...this.#state.activations.slice(first, kept), activation] };
    this.#policies = [...this.#policies.slice(first, kept), policy];
    for (const seat of this.#seats.values()) this.#findNext(seat);
    return true;
  }
}
