/** An ONNX model as far as a forest needs it: nodes with their attributes, constants, names of inputs and outputs. */
import { allBytes, allText, type Field, firstText, floatsOf, readFields, readFloats, readVarints } from './protobuf.ts';

export interface Attribute {
  readonly ints: readonly number[];
  readonly floats: readonly number[];
  readonly texts: readonly string[];
}

export interface Node {
  readonly operator: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attribute: (name: string) => Attribute;
}

export interface Graph {
  readonly nodes: readonly Node[];
  /** Initializers by name, as numbers: float32 and int64. */
  readonly constants: ReadonlyMap<string, readonly number[]>;
  /** Columns of each input, where the file says how many. */
  readonly inputs: readonly { readonly name: string; readonly columns: number | null }[];
  readonly metadata: ReadonlyMap<string, string>;
}

/** @throws TapewatchError `model_invalid` where the bytes are no ONNX file. */
export function readGraph(bytes: Uint8Array): Graph | null {
  const model = readFields(bytes);
  const graph = allBytes(model, 7)[0];
  if (!graph) return null;
  const fields = readFields(graph);
  const messages = (number: number): Field[][] => allBytes(fields, number).map(readFields);
  return {
    nodes: messages(1).map(nodeOf),
    constants: new Map(messages(5).map((tensor) => [firstText(tensor, 8), numbersOf(tensor)])),
    inputs: messages(11).map((input) => ({ name: firstText(input, 1), columns: columnsOf(input) })),
    metadata: new Map(
      allBytes(model, 14).map((entry) => {
        const pair = readFields(entry);
        return [firstText(pair, 1), firstText(pair, 2)];
      }),
    ),
  };
}

const NOTHING: Attribute = { ints: [], floats: [], texts: [] };

function nodeOf(fields: readonly Field[]): Node {
  const attributes = new Map<string, Attribute>();
  for (const bytes of allBytes(fields, 5)) {
    const attribute = readFields(bytes);
    attributes.set(firstText(attribute, 1), {
      ints: [...readVarints(attribute, 3), ...readVarints(attribute, 8)],
      floats: [...readFloats(attribute, 2), ...readFloats(attribute, 7)],
      texts: [...allText(attribute, 4), ...allText(attribute, 9)],
    });
  }
  return {
    operator: firstText(fields, 4),
    inputs: allText(fields, 1),
    outputs: allText(fields, 2),
    attribute: (name) => attributes.get(name) ?? NOTHING,
  };
}

const FLOAT = 1;
const INT64 = 7;

function numbersOf(tensor: readonly Field[]): readonly number[] {
  const [type] = readVarints(tensor, 2);
  const raw = allBytes(tensor, 9)[0];
  if (type === FLOAT) return raw ? floatsOf(raw) : readFloats(tensor, 4);
  if (type !== INT64) return [];
  if (!raw) return readVarints(tensor, 7);
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  return Array.from({ length: Math.floor(raw.length / 8) }, (_, i) => Number(view.getBigInt64(8 * i, true)));
}

/** The last dimension, where it is a number. */
function columnsOf(input: readonly Field[]): number | null {
  const within = (message: readonly Field[], number: number): Field[] => {
    const bytes = allBytes(message, number)[0];
    return bytes ? readFields(bytes) : [];
  };
  const dimensions = allBytes(within(within(within(input, 2), 1), 2), 1);
  const last = dimensions.at(-1);
  return last ? (readVarints(readFields(last), 1)[0] ?? null) : null;
}
