/**
 * What explains an incident later, written when it opens: the symbol's last snapshot before it and where to replay from.
 * A line of JSON, then the snapshot as it stands on its topic; a symbol that had none begins from nothing.
 */
import { decodeHead, decodeSnapshot, type SnapshotHead } from './snapshot.ts';
import type { PartitionState } from './tape-detector.ts';

export interface EvidenceHead {
  /** `symbol:lane:anchor`, the record's key. */
  readonly incident: string;
  readonly symbol: string;
  /** Where replay begins: this offset of this partition of the trades topic. */
  readonly partition: number;
  readonly offset: number;
  /** The last trade the snapshot holds; -1 where none: what replay over trades fetched by id goes on from. */
  readonly lastTradeId: number;
  readonly detector: string;
  /** What was in force before the replay's first record, with the settings in full. */
  readonly model: string;
  readonly settings: SnapshotHead['settings'];
  /** The partition's state before that record. */
  readonly state: PartitionState;
}

export interface Evidence extends EvidenceHead {
  /** null where the symbol begins from nothing. */
  readonly snapshot: { readonly head: SnapshotHead; readonly state: Float64Array } | null;
}

export function encodeEvidence(head: EvidenceHead, snapshot: Uint8Array | null): Uint8Array {
  return Buffer.concat([Buffer.from(`${JSON.stringify(head)}\n`), snapshot ?? new Uint8Array(0)]);
}

/** The head alone, which a detector of any version can read. @throws TapewatchError `record_invalid`. */
export function decodeEvidenceHead(bytes: Uint8Array): EvidenceHead {
  return decodeHead<EvidenceHead>(bytes).head;
}

/** @throws TapewatchError `record_invalid` where the snapshot is another detector's, or damaged. */
export function decodeEvidence(bytes: Uint8Array): Evidence {
  const { head, body } = decodeHead<EvidenceHead>(bytes);
  return { ...head, snapshot: body.length === 0 ? null : decodeSnapshot(body) };
}
