/**
 * Numbers read past JSON.parse must be the numbers that JSON.parse reads, to the last bit, or a score depends on who read
 * them; and whatever list is left out of a body must be the one that is scored.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { flatNumbers, ownsNumbers } from '../../src/api/flat-numbers.ts';

const seed = Number(process.env['TAPEWATCH_SEED'] ?? 1);
const bodyOf = (list: string): string => `{"inputs":[{"name":"rows","shape":[1,3],"data":${list},"datatype":"FP64"}]}`;

interface Body {
  readonly inputs: readonly { readonly data?: unknown[] }[];
}

/** What the two make of a body together, null where it goes the ordinary way. */
function read(text: string): Body | null {
  const flat = flatNumbers(Buffer.from(text));
  if (flat === null) return null;
  const body = JSON.parse(flat.text) as Body;
  const input = body.inputs[0]!;
  if (!ownsNumbers(flat.text, input)) return null;
  input.data!.push(...flat.values);
  return body;
}

/** A double, written in one of many ways. */
const written = fc
  .tuple(
    fc.oneof(
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e6, max: 1e6 }),
      fc.integer().map((n) => n / 1e6),
      fc.float({ noNaN: true, noDefaultInfinity: true }),
      fc.integer(),
      fc.constantFrom(
        0,
        -0,
        5e-324,
        2.2250738585072014e-308,
        1.7976931348623157e308,
        2 ** 53 + 2,
        0.1 + 0.2,
        1e22,
        1e23,
      ),
    ),
    fc.constantFrom<(x: number) => string>(
      (x) => (Object.is(x, -0) ? '-0' : String(x)),
      (x) => x.toExponential(),
      (x) => x.toExponential(14).replace('e+', 'E'),
      (x) => x.toPrecision(17),
      (x) => x.toPrecision(15),
      (x) => (Math.abs(x) < 1e9 ? x.toFixed(6) : String(x)),
      (x) => (Math.abs(x) < 1e4 ? x.toFixed(12) : String(x)),
    ),
  )
  .map(([x, write]) => write(x));

test('numbers are those that JSON.parse reads, bit for bit, however they are written', () => {
  let taken = 0;
  const property = fc.property(fc.array(written, { minLength: 1, maxLength: 4 }), fc.boolean(), (list, isSpaced) => {
    const text = isSpaced
      ? bodyOf(`[${list.join(', ')}]`).replace('"data":', '"data": ')
      : bodyOf(`[${list.join(',')}]`);
    const body = read(text);
    if (body === null) return;
    taken++;
    // deepStrictEqual tells −0 from 0.
    assert.deepStrictEqual(body, JSON.parse(text));
  });
  fc.assert(property, { seed, numRuns: 20_000 });
  assert.ok(taken > 2000, `only ${taken} were read at all`);
});

test('every number of up to 15 digits and 22 zeros is read here', () => {
  for (const list of [
    '[1]',
    '[0]',
    '[-0]',
    '[0.000001]',
    '[123456789012345]',
    '[-0.12345678901234]',
    '[1e22,1E-22,15e+3]',
  ])
    assert.deepStrictEqual(read(bodyOf(list)), JSON.parse(bodyOf(list)), list);
});

test('what is no flat list of plain numbers is left to JSON.parse, and so is every body that could mean another list', () => {
  const lists = [
    ...[
      '[]',
      '[ ]',
      '[1',
      '[1,]',
      '[,1]',
      '[1,,2]',
      '[1 ,2]',
      '[1,  2]',
      '[1\n,2]',
      '[1;2]',
      '[1]]',
      '1',
      '"[1]"',
      'null',
    ],
    ...[
      '[01]',
      '[-]',
      '[-01]',
      '[1.]',
      '[.5]',
      '[-.5]',
      '[+1]',
      '[1e]',
      '[1e+]',
      '[1e1.5]',
      '[1.e1]',
      '[--1]',
      '[1-1]',
    ],
    ...[
      '[NaN]',
      '[Infinity]',
      '[-Infinity]',
      '[0x10]',
      '[1_0]',
      '[1n]',
      '[true]',
      '["1"]',
      '[null]',
      '[[1,2]]',
      '[1,[2]]',
    ],
    ...['[1234567890123456]', '[0.1234567890123456]', '[1e23]', '[1e-23]', '[1e999999999999]', '[\u0661]', '[1\u00a0]'],
  ];
  for (const list of lists) {
    assert.equal(flatNumbers(Buffer.from(bodyOf(list))) && sound(bodyOf(list)), null, list);
  }
  const rows = '"data":[1,2]';
  for (const text of [
    '',
    '{"inputs":[{"name":"rows"}]}',
    `{"inputs":[{"parameters":{${rows}}}]}`,
    `{"inputs":[{"parameters":{${rows}},"data":[]}]}`,
    `{"inputs":[{"data":[],"parameters":{${rows}}}]}`,
    `{"parameters":{${rows}},"inputs":[{"data":[]}]}`,
    `{"parameters":{${rows}},"inputs":[{"d\\u0061ta":[]}]}`,
    `{"inputs":[{${rows},"d\\u0061ta":[]}]}`,
    `{"inputs":[{${rows},"data":[3]}]}`,
    `{"inputs":[{${rows},"data" :[3]}]}`,
    `{"inputs":[{"data":[3],${rows}}]}`,
    `{"foo\\${rows}":1,"inputs":[{"data":[]}]}`,
    `{"inputs":[{"foo\\${rows}],"name":"rows"}]}`,
    `{"inputs":[{"name":"\\"data":[1,2]","data":[]}]}`,
    `{"inputs":[{"name":"a"data":[1,2],"data":[]}]}`,
    `{"inputs":[{${rows}}`,
    `{"inputs":[{${rows}}]}{}`,
  ])
    assert.equal(sound(text), null, text);
});

/** As `read`; null also where the rest is no JSON, or no such body. */
function sound(text: string): Body | null {
  try {
    return read(text);
  } catch {
    return null;
  }
}

test('of a body cut or changed anywhere, what is read is what JSON.parse reads', () => {
  const texts = [bodyOf('[0.5,-1,2e3]'), `{"id":"7","inputs":[{"data":[1],"parameters":{"x":"y"}}]}`].map((text) =>
    Buffer.from(text),
  );
  const changes = fc.array(fc.tuple(fc.nat(200), fc.constantFrom(...'"\\{}[],:.-+eE019 data')), {
    minLength: 1,
    maxLength: 3,
  });
  const property = fc.property(fc.nat(1), changes, (which, places) => {
    const bytes = Buffer.from(texts[which]!);
    for (const [at, character] of places) bytes.write(character, at % bytes.length, 'latin1');
    const body = sound(bytes.toString());
    if (body !== null) assert.deepStrictEqual(body, JSON.parse(bytes.toString()));
  });
  fc.assert(property, { seed, numRuns: 50_000 });
});
