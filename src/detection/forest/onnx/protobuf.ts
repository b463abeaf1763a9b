/**
 * The wire format of protocol buffers, as much as ONNX files need: varints, 4- and 8-byte numbers, and length-delimited
 * fields. A message is read as the list of its fields, in order.
 */
import { TapewatchError } from '../../../market/error.ts';

export interface Field {
  readonly number: number;
  /** A number for varints; bytes for all else: 4, 8 or as many as were given. */
  readonly value: number | Uint8Array;
}

/** @throws TapewatchError `model_invalid` where the bytes end too soon or name an unknown wire type. */
export function readFields(bytes: Uint8Array): Field[] {
  const fields: Field[] = [];
  let at = 0;
  const take = (length: number): Uint8Array => {
    if (!(at + length <= bytes.length)) throw broken('a field is longer than the file');
    at += length;
    return bytes.subarray(at - length, at);
  };
  const varint = (): number => {
    const { value, next } = readVarint(bytes, at);
    at = next;
    return value;
  };
  while (at < bytes.length) {
    const tag = varint();
    const number = Math.floor(tag / 8);
    const wireType = tag % 8;
    if (wireType === 0) fields.push({ number, value: varint() });
    else if (wireType === 1) fields.push({ number, value: take(8) });
    else if (wireType === 2) fields.push({ number, value: take(varint()) });
    else if (wireType === 5) fields.push({ number, value: take(4) });
    else throw broken(`a field has wire type ${wireType}`);
  }
  return fields;
}

function readVarint(bytes: Uint8Array, from: number): { readonly value: number; readonly next: number } {
  let value = 0n;
  for (let i = 0; i < 10; i++) {
    const byte = bytes[from + i];
    if (byte === undefined) break;
    value |= BigInt(byte & 0x7f) << BigInt(7 * i);
    // An int64: numbers beyond 2^53 mean nothing here, negative ones do.
    if (byte < 0x80) return { value: Number(BigInt.asIntN(64, value)), next: from + i + 1 };
  }
  throw broken('a number does not end');
}

/** A repeated number field: packed, or one field each. */
export function readVarints(fields: readonly Field[], number: number): number[] {
  return fields
    .filter((field) => field.number === number)
    .flatMap(({ value }) => {
      if (typeof value === 'number') return [value];
      const values: number[] = [];
      for (let at = 0; at < value.length; ) {
        const read = readVarint(value, at);
        values.push(read.value);
        at = read.next;
      }
      return values;
    });
}

/** A repeated float field: packed, or one field each. */
export function readFloats(fields: readonly Field[], number: number): number[] {
  return allBytes(fields, number).flatMap((bytes) => floatsOf(bytes));
}

/** Little-endian float32. */
export function floatsOf(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: Math.floor(bytes.length / 4) }, (_, i) => view.getFloat32(4 * i, true));
}

export function allBytes(fields: readonly Field[], number: number): Uint8Array[] {
  return fields.flatMap((field) => (field.number === number && typeof field.value !== 'number' ? [field.value] : []));
}

export function allText(fields: readonly Field[], number: number): string[] {
  return allBytes(fields, number).map((bytes) => new TextDecoder().decode(bytes));
}

export function firstText(fields: readonly Field[], number: number): string {
  return allText(fields, number)[0] ?? '';
}

export type Part = readonly number[] | Uint8Array;

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  return [...bytes, Number(rest)];
}

export function numberField(number: number, value: number): Part {
  return [...varint(number * 8), ...varint(value)];
}

export function bytesField(number: number, content: Part): Part {
  return join([[...varint(number * 8 + 2), ...varint(content.length)], content]);
}

export function textField(number: number, text: string): Part {
  return bytesField(number, new TextEncoder().encode(text));
}

/** A message of these fields, as a field of another. */
export function messageField(number: number, parts: readonly Part[]): Part {
  return bytesField(number, join(parts));
}

/** Not packed, as proto2 has it. */
export function numberFields(number: number, values: readonly number[]): Part {
  return values.flatMap((value) => numberField(number, value) as number[]);
}

/** float32 values, not packed, as proto2 has it. */
export function floatFields(number: number, values: readonly number[]): Part {
  const tag = varint(number * 8 + 5);
  const bytes = new Uint8Array(values.length * (tag.length + 4));
  const view = new DataView(bytes.buffer);
  for (const [i, value] of values.entries()) {
    bytes.set(tag, i * (tag.length + 4));
    view.setFloat32(i * (tag.length + 4) + tag.length, value, true);
  }
  return bytes;
}

export function join(parts: readonly Part[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function broken(what: string): TapewatchError {
  return new TapewatchError('model_invalid', `The file is no ONNX model: ${what}.`);
}
