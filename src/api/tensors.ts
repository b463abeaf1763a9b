/**
 * Tensors of the Open Inference Protocol v2: JSON, and the binary tensor extension, where a JSON header of
 * `Inference-Header-Content-Length` bytes is followed by the tensors' little-endian bytes.
 */
import { Type } from 'typebox';
import { TapewatchError } from '../market/error.ts';
import { Scratch } from './scratch.ts';

const FLOATS = ['FP32', 'FP64'] as const;
const NOTHING: Buffer = Buffer.alloc(0);
/** Rows of one request. */
export const ROWS_MAX = 16_384;

const Parameters = Type.Optional(Type.Record(Type.String(), Type.Unknown()));
export const InferBody = Type.Object({
  id: Type.Optional(Type.String()),
  parameters: Parameters,
  inputs: Type.Array(
    Type.Object({
      name: Type.String(),
      shape: Type.Array(Type.Integer({ minimum: 0 }), { minItems: 2, maxItems: 2 }),
      datatype: Type.String({ enum: [...FLOATS] }),
      parameters: Parameters,
      data: Type.Optional(Type.Array(Type.Unknown(), { description: 'Numbers, flat or row by row' })),
    }),
    { minItems: 1, maxItems: 1 },
  ),
  outputs: Type.Optional(Type.Array(Type.Object({ name: Type.String(), parameters: Parameters }))),
});
export type InferRequest = Type.Static<typeof InferBody>;

export interface Output {
  readonly name: string;
  readonly datatype: 'FP64' | 'BOOL';
  /** One a row. */
  readonly values: Float64Array | readonly boolean[];
}

/** `headerBytes`: what Inference-Header-Content-Length says, absent for JSON alone. */
export function splitBody(
  body: Buffer,
  headerBytes: string | undefined,
): { readonly json: Buffer; readonly tensors: Buffer } {
  if (headerBytes === undefined) return { json: body, tensors: NOTHING };
  const end = Number(headerBytes);
  if (!Number.isInteger(end) || end < 0 || end > body.length)
    throw invalid('Inference-Header-Content-Length is no length of this body');
  return { json: body.subarray(0, end), tensors: body.subarray(end) };
}

/** @throws TapewatchError `usage` where it is not JSON. */
export function parse(json: Buffer): unknown {
  try {
    return JSON.parse(json.toString());
  } catch (cause) {
    throw new TapewatchError('usage', 'The body is not JSON.', { cause });
  }
}

const scratch = new Scratch();

/**
 * The rows of the only input, flat, until the next call; `flat` where its numbers were read already.
 * @throws TapewatchError `rows_invalid` naming row and column.
 */
export function rowsOf(
  request: InferRequest,
  columns: number,
  tensors: Buffer,
  flat: Float64Array | null = null,
): Float64Array {
  const { name, shape, datatype, data = [], parameters } = request.inputs[0]!;
  const [rows, width] = shape as [number, number];
  if (name !== 'rows') throw invalid(`there is no input ${name}: it is called rows`);
  if (width !== columns) throw invalid(`rows has ${width} columns instead of ${columns}`);
  if (rows < 1 || rows > ROWS_MAX) throw invalid(`rows must have 1 to ${ROWS_MAX} rows`);
  const count = rows * columns;
  const isSingle = datatype === 'FP32';
  const size = parameters?.['binary_data_size'];
  const values = size === undefined ? (flat ?? numbers(data, count)) : floats(tensors, isSingle, size, count);
  if (values.length !== count) throw invalid(`data has ${values.length} numbers instead of ${count}`);
  for (let i = 0; i < count; i++) {
    const value = isSingle ? Math.fround(values[i]!) : values[i]!;
    if (!Number.isFinite(value)) throw invalid(`row ${Math.floor(i / columns)}, column ${i % columns} is not finite`);
    values[i] = value;
  }
  return values;
}

function numbers(data: readonly unknown[], count: number): Float64Array {
  const values = scratch.of(count);
  let at = 0;
  const take = (value: unknown): void => {
    if (Array.isArray(value)) for (const each of value) take(each);
    else if (typeof value !== 'number') throw invalid(`value ${at} is not a number`);
    else values[at++] = value;
  };
  // Flat numbers, as they mostly are, need no closure each.
  if (data.length === count) for (; at < count && typeof data[at] === 'number'; at++) values[at] = data[at] as number;
  for (let i = at; i < data.length; i++) take(data[i]);
  if (at !== count) throw invalid(`data has ${at} numbers instead of ${count}`);
  return values;
}

function floats(tensors: Buffer, isSingle: boolean, size: unknown, count: number): Float64Array {
  const bytes = count * (isSingle ? 4 : 8);
  if (size !== bytes || tensors.length !== size)
    throw invalid(`the binary data has ${tensors.length} bytes instead of ${bytes}`);
  const view = new DataView(tensors.buffer, tensors.byteOffset, bytes);
  const values = scratch.of(count);
  if (isSingle) for (let i = 0; i < count; i++) values[i] = view.getFloat32(4 * i, true);
  else for (let i = 0; i < count; i++) values[i] = view.getFloat64(8 * i, true);
  return values;
}

export interface Answer {
  readonly json: string;
  /** The bytes that follow the JSON, as Latin-1; null where no output was asked for as binary. */
  readonly tensors: string | null;
}

/** Outputs asked for by name, or all; as JSON or binary as the request says of each, or of all. */
export function answer(
  head: { readonly model_name: string; readonly model_version: string },
  request: InferRequest,
  outputs: readonly Output[],
): Answer {
  let tensors: string | null = null;
  const all = request.parameters?.['binary_data_output'] === true;
  const written = (request.outputs ?? outputs).map((asked) => {
    const output = outputs.find((its) => its.name === asked.name);
    if (!output)
      throw invalid(`there is no output ${asked.name}: there are ${outputs.map((its) => its.name).join(', ')}`);
    const { name, datatype, values } = output;
    const isBinary = 'parameters' in asked ? (asked.parameters?.['binary_data'] ?? all) : all;
    const bytes = isBinary ? bytesOf(values) : null;
    if (bytes !== null) tensors = (tensors ?? '') + bytes;
    const content = bytes === null ? `"data":${listOf(values)}` : `"parameters":{"binary_data_size":${bytes.length}}`;
    return `{"name":"${name}","datatype":"${datatype}","shape":[${values.length}],${content}}`;
  });
  const id = request.id === undefined ? '' : `"id":${JSON.stringify(request.id)},`;
  const { model_name, model_version } = head;
  const json = `{"model_name":"${model_name}","model_version":"${model_version}",${id}"outputs":[${written.join(',')}]}`;
  return { json, tensors };
}

const list: number[] = [];
function listOf(values: Output['values']): string {
  if (!(values instanceof Float64Array)) return JSON.stringify(values);
  for (let i = 0; i < values.length; i++) list[i] = values[i]!;
  list.length = values.length;
  return JSON.stringify(list);
}

function bytesOf(values: Output['values']): string {
  const bytes =
    values instanceof Float64Array
      ? Buffer.from(values.buffer, values.byteOffset, values.byteLength)
      : Buffer.from(values.map(Number));
  return bytes.toString('latin1');
}

function invalid(what: string): TapewatchError {
  return new TapewatchError('rows_invalid', `Inference: ${what}.`);
}
