/**
 * Tensors of the Open Inference Protocol v2: JSON, and the binary tensor extension, where a JSON header of
 * `Inference-Header-Content-Length` bytes is followed by the tensors' little-endian bytes.
 */
import { Type } from 'typebox';
import { TapewatchError } from '../market/error.ts';

const FLOATS = ['FP32', 'FP64'] as const;
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
): { readonly json: unknown; readonly tensors: Buffer } {
  const end = headerBytes === undefined ? body.length : Number(headerBytes);
  if (!Number.isInteger(end) || end < 0 || end > body.length)
    throw invalid('Inference-Header-Content-Length is no length of this body');
  return { json: parse(end === body.length ? body : body.subarray(0, end)), tensors: body.subarray(end) };
}

/** @throws TapewatchError `usage` where it is not JSON. */
export function parse(json: Buffer): unknown {
  try {
    return JSON.parse(json.toString());
  } catch (cause) {
    throw new TapewatchError('usage', 'The body is not JSON.', { cause });
  }
}

/** The rows of the only input, flat. @throws TapewatchError `rows_invalid` naming row and column. */
export function rowsOf(request: InferRequest, columns: number, tensors: Buffer): Float64Array {
  const { name, shape, datatype, data, parameters } = request.inputs[0]!;
  const [rows, width] = shape as [number, number];
  if (name !== 'rows') throw invalid(`there is no input ${name}: it is called rows`);
  if (width !== columns) throw invalid(`rows has ${width} columns instead of ${columns}`);
  if (rows < 1 || rows > ROWS_MAX) throw invalid(`rows must have 1 to ${ROWS_MAX} rows`);
  const count = rows * columns;
  const size = parameters?.['binary_data_size'];
  const values = size === undefined ? numbers(data ?? [], datatype, count) : floats(tensors, datatype, size, count);
  for (let i = 0; i < count; i++)
    if (!Number.isFinite(values[i]))
      throw invalid(`row ${Math.floor(i / columns)}, column ${i % columns} is not finite`);
  return values;
}

function numbers(data: readonly unknown[], datatype: string, count: number): Float64Array {
  const values = datatype === 'FP32' ? new Float32Array(count) : new Float64Array(count);
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
  return new Float64Array(values);
}

function floats(tensors: Buffer, datatype: string, size: unknown, count: number): Float64Array {
  const width = datatype === 'FP32' ? 4 : 8;
  if (size !== count * width || tensors.length !== size)
    throw invalid(`the binary data has ${tensors.length} bytes instead of ${count * width}`);
  const bytes = new Uint8Array(tensors).buffer;
  return width === 4 ? new Float64Array(new Float32Array(bytes)) : new Float64Array(bytes);
}

export interface Answer {
  readonly json: string;
  /** What follows the JSON; null where no output was asked for as binary. */
  readonly tensors: Buffer | null;
}

/** Outputs asked for by name, or all; as JSON or binary as the request says of each, or of all. */
export function answer(
  head: { readonly model_name: string; readonly model_version: string },
  request: InferRequest,
  outputs: readonly Output[],
): Answer {
  const tensors: Buffer[] = [];
  const all = request.parameters?.['binary_data_output'] === true;
  const asked = request.outputs ?? outputs.map(({ name }) => ({ name, parameters: undefined }));
  const written = asked.map(({ name, parameters }) => {
    const output = outputs.find((its) => its.name === name);
    if (!output) throw invalid(`there is no output ${name}: there are ${outputs.map((its) => its.name).join(', ')}`);
    const { datatype, values } = output;
    const shape = [values.length];
    if (!(parameters?.['binary_data'] ?? all)) return { name, datatype, shape, data: Array.from<unknown>(values) };
    const bytes =
      values instanceof Float64Array
        ? Buffer.from(values.buffer, values.byteOffset, values.byteLength)
        : Buffer.from(values.map(Number));
    tensors.push(bytes);
    return { name, datatype, shape, parameters: { binary_data_size: bytes.length } };
  });
  const id = request.id === undefined ? {} : { id: request.id };
  const json = JSON.stringify({ ...head, ...id, outputs: written });
  return { json, tensors: tensors.length > 0 ? Buffer.concat(tensors) : null };
}

function invalid(what: string): TapewatchError {
  return new TapewatchError('rows_invalid', `Inference: ${what}.`);
}
