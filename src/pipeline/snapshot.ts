/** A symbol's snapshot on the compacted topic: a line of JSON that says what it is, then the detector's state byte by byte. */
import { crc32 } from 'node:zlib';
import { DETECTOR_VERSION } from '../detection/artefact.ts';
import { STATE_DOUBLES } from '../detection/detector.ts';
import { TapewatchError } from '../market/error.ts';
import type { DetectionSettings } from '../market/records.ts';
import type { PartitionState, SymbolState } from './tape-detector.ts';

export interface SnapshotHead {
  /** Consumer group it belongs to: others ignore it. */
  readonly group: string;
  /** Offset of the symbol's next record. */
  readonly offset: number;
  /** Offset of the activation reached last; -1 where none. */
  readonly reached: number;
  readonly detector: string;
  readonly model: string;
  readonly settings: DetectionSettings;
  /** Of the state's bytes. */
  readonly crc: number;
}

/** The record of a whole partition, key `partition:N`. */
export interface PartitionHead extends PartitionState {
  readonly group: string;
  /** Where replay begins; the rest is the partition's state before that record. */
  readonly offset: number;
}

export function encodeSnapshot(group: string, { policy, state, offset, reached }: SymbolState): Uint8Array {
  const bytes = Buffer.from(state.buffer, state.byteOffset, state.byteLength);
  const head: SnapshotHead = {
    group,
    offset,
    reached,
    detector: DETECTOR_VERSION,
    model: policy.artefact.id,
    settings: policy.settings,
    crc: crc32(bytes),
  };
  return Buffer.concat([Buffer.from(`${JSON.stringify(head)}\n`), bytes]);
}

/** The first line alone. @throws TapewatchError `record_invalid`. */
export function decodeHead<T>(bytes: Uint8Array): { readonly head: T; readonly body: Uint8Array } {
  const end = bytes.indexOf(10);
  if (end < 0) throw new TapewatchError('record_invalid', 'it does not begin with a line of JSON');
  try {
    return { head: JSON.parse(new TextDecoder().decode(bytes.subarray(0, end))) as T, body: bytes.subarray(end + 1) };
  } catch (cause) {
    throw new TapewatchError('record_invalid', 'its first line is not JSON', { cause });
  }
}

/** @throws TapewatchError `record_invalid` where the bytes are no snapshot that this detector can go on from. */
export function decodeSnapshot(bytes: Uint8Array): { readonly head: SnapshotHead; readonly state: Float64Array } {
  const { head, body } = decodeHead<SnapshotHead>(bytes);
  if (head.detector !== DETECTOR_VERSION)
    throw new TapewatchError(
      'record_invalid',
      `it is of detector ${head.detector}, this is detector ${DETECTOR_VERSION}`,
    );
  if (crc32(body) !== head.crc) throw new TapewatchError('record_invalid', 'its bytes are damaged');
  if (body.byteLength !== STATE_DOUBLES * 8)
    throw new TapewatchError(
      'record_invalid',
      `its state has ${body.byteLength} bytes and this build's has ${STATE_DOUBLES * 8}: use the build that wrote it, or have it made anew from the trades, which the log keeps for --retention`,
    );
  // A copy (a Buffer’s slice is none): doubles begin at a multiple of eight, and the detector goes on changing them.
  return { head, state: new Float64Array(new Uint8Array(body).buffer) };
}

export function encodePartition(head: PartitionHead): Uint8Array {
  return Buffer.from(JSON.stringify(head));
}

/** @throws TapewatchError `record_invalid`. */
export function decodePartition(bytes: Uint8Array): PartitionHead {
  try {
    const {
      group,
      offset,
      epoch,
      promised = 0,
      activations = [],
    } = JSON.parse(new TextDecoder().decode(bytes)) as PartitionHead;
    if (Number.isInteger(offset) && Number.isInteger(epoch) && Array.isArray(activations))
      return { group, offset, epoch, promised, activations };
  } catch (cause) {
    throw new TapewatchError('record_invalid', 'it is not JSON', { cause });
  }
  throw new TapewatchError('record_invalid', 'it has no offset and epoch');
}
