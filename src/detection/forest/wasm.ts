/**
 * Just enough of an assembler for WebAssembly (core specification 2.0, chapter 5): one function over one imported memory.
 * An instruction is the list of its bytes, operands follow in the order of the stack; so a program is a flat list that
 * reads as the text format does.
 */

export type Code = readonly number[];

/** Unsigned LEB128. */
function unsigned(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; ) {
    const low = rest & 0x7f;
    rest >>>= 7;
    if (rest === 0) return [...bytes, low];
    bytes.push(low | 0x80);
  }
}

/** Signed LEB128. */
function signed(value: number): number[] {
  const bytes: number[] = [];
  for (let rest = value; ; ) {
    const low = rest & 0x7f;
    rest >>= 7;
    if ((rest === 0 && (low & 0x40) === 0) || (rest === -1 && (low & 0x40) !== 0)) return [...bytes, low];
    bytes.push(low | 0x80);
  }
}

/** A load or store: its alignment is only a hint, so the natural one's logarithm stands with the opcode. */
const memory =
  (opcode: Code, align: number) =>
  (offset: number): Code => [...opcode, align, ...unsigned(offset)];
const vector = (opcode: number): Code => [0xfd, ...unsigned(opcode)];

export const get = (local: number): Code => [0x20, ...unsigned(local)];
export const set = (local: number): Code => [0x21, ...unsigned(local)];
export const tee = (local: number): Code => [0x22, ...unsigned(local)];
export const constant = (value: number): Code => [0x41, ...signed(value)];

export const I32 = {
  load: memory([0x28], 2),
  load16: memory([0x2f], 1),
  add: [0x6a],
  mul: [0x6c],
  shl: [0x74],
  /** Signed. */
  shiftRight: [0x75],
  and: [0x71],
  xor: [0x73],
  lessUnsigned: [0x49],
  /** How many bits are set. */
  ones: [0x69],
  /** Of an i64, its low half. */
  wrap: [0xa7],
} as const;
export const I64 = { trailingZeros: [0x7a] } as const;
export const F64 = {
  load: memory([0x2b], 3),
  store: memory([0x39], 3),
  add: [0xa0],
  zero: [0x44, 0, 0, 0, 0, 0, 0, 0, 0],
} as const;
export const V128 = {
  load: memory(vector(0), 4),
  and: vector(78),
  /** The i64 in lane 0 or 1. */
  lane: (lane: 0 | 1): Code => [...vector(29), lane],
} as const;

/** `body`, again and again while it leaves a true value. */
export const loopWhile = (...body: readonly Code[]): Code => [0x03, 0x40, ...body.flat(), 0x0d, 0x00, 0x0b];

/** All signed; `narrow` keeps −1 and 0 as they are, `bitmask` gathers the lanes' signs. */
export const I32X4 = { splat: vector(17), greater: vector(59), bitmask: vector(164) } as const;
export const I16X8 = { narrow: vector(133) } as const;
export const I8X16 = { narrow: vector(101), bitmask: vector(100) } as const;

const TYPE = { i32: 0x7f, f64: 0x7c, v128: 0x7b } as const;
export type Type = keyof typeof TYPE;

export interface Program {
  /** Types of the parameters and, numbered on from them, of the locals. */
  readonly parameters: readonly Type[];
  readonly locals: readonly Type[];
  readonly body: readonly Code[];
}

/** The bytes of a module that imports its memory as `m.m` and exports the program, which returns nothing, as `f`. */
export function assemble({ parameters, locals, body }: Program): Uint8Array<ArrayBuffer> {
  const list = (items: readonly Code[]): Code => [...unsigned(items.length), ...items.flat()];
  const section = (id: number, content: Code): Code => [id, ...unsigned(content.length), ...content];
  const name = (text: string): Code => list([...text].map((letter) => [letter.charCodeAt(0)]));
  const declared = list(locals.map((type) => [1, TYPE[type]]));
  const entry = [...declared, ...body.flat(), 0x0b];
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, list([[0x60, ...list(parameters.map((type) => [TYPE[type]])), 0]])),
    ...section(2, list([[...name('m'), ...name('m'), 0x02, 0x00, 1]])),
    ...section(3, list([[0]])),
    ...section(7, list([[...name('f'), 0x00, 0]])),
    ...section(10, list([[...unsigned(entry.length), ...entry]])),
  ]);
}

export interface Memory {
  readonly buffer: ArrayBuffer;
}

/** The part of the JavaScript API used here; absent where an engine runs without a compiler. */
declare const WebAssembly:
  | undefined
  | {
      readonly Memory: new (size: { initial: number }) => Memory;
      readonly Module: new (bytes: Uint8Array<ArrayBuffer>) => object;
      readonly Instance: new (module: object, imports: { m: { m: Memory } }) => { exports: { f: Run } };
    };

const PAGE_BYTES = 65_536;

type Run = (...values: number[]) => void;

/** Programs, by name, in a memory of their own; null where the engine has none to give: the caller has another way. */
export function instantiate<Name extends string>(
  programs: Readonly<Record<Name, Program>>,
  bytes: number,
): { readonly memory: ArrayBuffer; readonly run: Readonly<Record<Name, Run>> } | null {
  if (typeof WebAssembly === 'undefined') return null;
  const { Memory, Module, Instance } = WebAssembly;
  try {
    const memory = new Memory({ initial: Math.ceil(bytes / PAGE_BYTES) });
    const made = Object.entries<Program>(programs).map(([name, program]) => {
      const { exports } = new Instance(new Module(assemble(program)), { m: { m: memory } });
      return [name, exports.f];
    });
    return { memory: memory.buffer, run: Object.fromEntries(made) as Record<Name, Run> };
  } catch {
    return null;
  }
}
