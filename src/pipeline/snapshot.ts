/** A symbol's snapshot on the compacted topic: a line of JSON that says what it is, then the detector's state byte by byte. */
import { STATE_DOUBLES } from '../detection/detector.ts';
import { TapewatchError } from '../market/error.ts';

export interface SnapshotHead {
  /** Consumer group it belongs to: others ignore it. */
  readonly group: string;
  /** Offset of the symbol's next record. */
  readonly offset: number;
  readonly detector: string;
  readonly model: string;
  readonly settings: string;
}

export function encodeSnapshot(head: SnapshotHead, state: Float64Array): Uint8Array {
  const line = Buffer.from(`${JSON.stringify(head)}\n`);
  return Buffer.concat([line, Buffer.from(state.buffer, state.byteOffset, state.byteLength)]);
}

/** @throws TapewatchError `record_invalid` where the bytes are no snapshot of this detector. */
export function decodeSnapshot(bytes: Uint8Array): { readonly head: SnapshotHead; readonly state: Float64Array } {
  const end = bytes.indexOf(10);
  // A log may hand out a Buffer, whose slice shares the memory of other records.
  const body = new Uint8Array(bytes.subarray(end + 1));
  if (end < 0 || body.byteLength !== STATE_DOUBLES * 8) {
    throw new TapewatchError(
      'record_invalid',
      'A snapshot has another shape than this detector: it was made by another version.',
    );
  }
  return {
    head: JSON.parse(new TextDecoder().decode(bytes.subarray(0, end))) as SnapshotHead,
    state: new Float64Array(body.buffer),
  };
}
