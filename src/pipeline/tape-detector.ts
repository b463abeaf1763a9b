/** A tape's records to the detectors of its symbols: who sees which record, which control records count, what is in force. */
import { type Output, type Policy, SymbolDetector } from '../detection/detector.ts';
import { type Activate, isTrade, type TapeRecord } from '../market/records.ts';

export interface TapeDetectorOptions {
  /** In force until the tape's first activation. */
  readonly policy: Policy;
  readonly output: Output;
  /** The policy an activation asks for; null where the caller's options override the tape. */
  readonly resolve?: (activate: Activate, before: Policy) => Policy | null;
}

/** What of a partition's detector is not a symbol's: kept with the partition's snapshot. */
export interface PartitionState {
  readonly epoch: number;
}

export class TapeDetector {
  readonly #options: TapeDetectorOptions;
  readonly #detectors = new Map<string, SymbolDetector>();
  /** Activations that some symbol has not reached, by `from`. */
  #activations: { readonly from: number; readonly policy: Policy }[] = [];
  #latest: Policy;
  #epoch = 0;
  trades = 0;

  constructor(options: TapeDetectorOptions) {
    this.#options = options;
    this.#latest = options.policy;
  }

  get detectors(): ReadonlyMap<string, SymbolDetector> {
    return this.#detectors;
  }

  push(record: TapeRecord): void {
    if (isTrade(record)) {
      this.trades++;
      const detector = this.#of(record.symbol, record.timestamp);
      detector.trade(record);
      return;
    }
    const epoch = 'epoch' in record ? record.epoch : undefined;
    if (epoch !== undefined) {
      if (epoch < this.#epoch) return;
      this.#epoch = epoch;
    }
    switch (record.type) {
      case 'heartbeat':
        for (const detector of this.#detectors.values()) {
          this.#switch(detector, record.timestamp);
          detector.heartbeat(record.timestamp);
        }
        return;
      case 'gap':
        this.#of(record.symbol, record.timestamp).gap(record);
        return;
      case 'status':
        // For people, and stamped by a clock: nothing a detector may see.
        if (record.status === 'lost' || record.status === 'connected') return;
        this.#of(record.symbol, record.timestamp).status(record);
        return;
      case 'bar':
        this.#of(record.symbol, record.timestamp).bar(record);
        return;
      case 'activate':
        this.#activate(record);
        return;
      default:
    }
  }

  get partitionState(): PartitionState {
    return { epoch: this.#epoch };
  }

  set partitionState({ epoch }: PartitionState) {
    this.#epoch = epoch;
  }

  /** Takes over a symbol's snapshot. */
  restore(symbol: string, policy: Policy, state: Float64Array): void {
    this.#detectors.set(symbol, new SymbolDetector(symbol, policy, this.#options.output, state));
  }

  #of(symbol: string, timestamp: number): SymbolDetector {
    let detector = this.#detectors.get(symbol);
    if (!detector) {
      detector = new SymbolDetector(symbol, this.#options.policy, this.#options.output);
      this.#detectors.set(symbol, detector);
    }
    if (this.#activations.length > 0) this.#switch(detector, timestamp);
    return detector;
  }

  #switch(detector: SymbolDetector, timestamp: number): void {
    for (const { from, policy } of this.#activations) if (from <= timestamp) detector.adopt(policy, from);
  }

  #activate(record: Activate): void {
    const policy = this.#options.resolve?.(record, this.#latest);
    if (!policy) return;
    this.#latest = policy;
    // The last activation for a moment is the one that counts, so earlier ones for later moments are void.
    this.#activations = this.#activations.filter(({ from }) => from < record.from);
    this.#activations.push({ from: record.from, policy });
  }
}
