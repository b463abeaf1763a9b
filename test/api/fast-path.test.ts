/**
 * Scores answered on the socket itself must be those that Node's server gives, byte for byte; and whatever is not a plain
 * request must be judged by Node's parser, or a proxy before us and we could see different requests in the same bytes.
 */
import assert from 'node:assert/strict';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { after, before, test } from 'node:test';
import fc from 'fast-check';
import { plainHead } from '../../src/api/fast-path/request-head.ts';
import { FEATURES } from '../../src/detection/surprise/vector.ts';
import { modelFromOnnx } from '../../src/model/scoring-model.ts';
import { type Served, startServer } from './server.ts';

let served: Served;
/** Requests that Node's server took. */
let ordinary = 0;
const count = (): void => void ordinary++;
before(async () => {
  subscribe('http.server.request.start', count);
  served = await startServer();
  const numbered = modelFromOnnx(served.forest.toONNX(), 'a test', ['0', '1', '2']);
  const put = { method: 'PUT', url: '/v1/models/numbered', payload: numbered, headers: json } as const;
  assert.equal((await served.app.inject(put)).statusCode, 200);
});
after(async () => {
  unsubscribe('http.server.request.start', count);
  await served.close();
});

interface Ask {
  readonly path: string;
  readonly body: string | Buffer;
  readonly headers?: Readonly<Record<string, string>>;
}
interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

const json = { 'content-type': 'application/json' };
const row = Object.fromEntries(FEATURES.map((name, i) => [name, i / 3]));
const small = { a: 0.1, b: 0.25, c: 0.999 };
const tensor = { name: 'rows', shape: [2, 3], datatype: 'FP64' };
const values = [0.1, 0.2, 0.3, 0.9, 0.8, 0.7];

function binary(datatype: 'FP32' | 'FP64', asked: object = {}): Ask {
  const bytes = Buffer.from((datatype === 'FP32' ? Float32Array.from(values) : Float64Array.from(values)).buffer);
  const input = { ...tensor, datatype, parameters: { binary_data_size: bytes.length } };
  const head = Buffer.from(JSON.stringify({ inputs: [input], ...asked }));
  const headers = { 'inference-header-content-length': String(head.length) };
  return { path: '/v2/models/small/infer', headers, body: Buffer.concat([head, bytes]) };
}

const score = (body: object, headers = json): Ask => ({ path: '/v1/score', body: JSON.stringify(body), headers });
const infer = (body: object, path = '/v2/models/small/infer'): Ask => ({
  path,
  body: JSON.stringify(body),
  headers: json,
});

const ANSWERED: readonly Ask[] = [
  score({ rows: [row, row] }),
  score({ rows: [row], contributions: false }),
  score({ model: 'small', rows: [small] }, { 'content-type': 'application/json; charset=utf-8' }),
  score({ model: 'small@1', rows: [small], contributions: false }),
  score({ model: 'small', rows: [{ c: 0.3, a: 0.1, b: 0.2 }, small, { b: 0, c: -0, a: 1e-9 }], contributions: false }),
  score({ model: 'numbered', rows: [{ 2: 0.3, 0: 0.1, 1: 0.2 }] }),
  score({ rows: [row] }, {
    ...json,
    'x-request-id': 'order-7',
    'user-agent': 'someone/1',
    accept: '*/*',
  } as typeof json),
  infer({ inputs: [{ ...tensor, data: values }] }),
  infer({ id: 'größer ✓', inputs: [{ ...tensor, data: [values.slice(0, 3), values.slice(3)] }] }),
  infer({ inputs: [{ ...tensor, data: values }], outputs: [{ name: 'anomaly' }] }, '/v2/models/small/versions/1/infer'),
  infer(
    { inputs: [{ name: 'rows', shape: [1, FEATURES.length], datatype: 'FP32', data: Object.values(row) }] },
    '/v2/models/active/infer',
  ),
  infer({ inputs: [{ ...tensor, data: values.toReversed() }] }),
  infer({ inputs: [{ ...tensor, datatype: 'FP32', data: values.map((x) => x / 3) }] }),
  infer({ inputs: [{ data: [-0, 1e-7, 2, 3e5, -4.5, 1e22], ...tensor }], parameters: { more: '"data"' } }),
  infer({ inputs: [{ ...tensor, data: values, parameters: { data: [1, 2, 3, 4, 5, 6] } }] }),
  {
    ...infer({}),
    body: '{"inputs": [{"name": "rows", "shape": [1, 3], "datatype": "FP32", "data": [0.25, -1, 2e-3]}]}',
  },
  infer({
    inputs: [{ ...tensor, data: values }],
    outputs: [{ name: 'anomaly', parameters: { binary_data: true } }, { name: 'forest' }],
  }),
  { ...binary('FP32', { id: '✓', parameters: { binary_data_output: true } }) },
  binary('FP32'),
  binary('FP64', { parameters: { binary_data_output: true } }),
];
const REFUSED: readonly Ask[] = [
  score({ rows: [{ ...row, colour: 1 }] }),
  score({ rows: [] }),
  ...[null, 7, 'abc', true, [0.1, 0.2, 0.3], {}].map((bad) => score({ model: 'small', rows: [small, bad] })),
  score({ model: 'numbered', rows: [[0.1, 0.2, 0.3]] }),
  score({ rows: [row], contributions: 0 }),
  score({ model: 'none', rows: [small] }),
  score({ rows: [row] }, { 'content-type': 'text/csv' }),
  score({ rows: [row], more: 1 }),
  { path: '/v1/score', body: '{"rows":', headers: json },
  infer({ inputs: [{ ...tensor, data: values.slice(1) }] }),
  infer({ inputs: [{ ...tensor, data: values }], outputs: [{ name: 'colour' }] }),
  infer({ inputs: [{ ...tensor, datatype: 'FP32', data: [...values.slice(1), 1e39] }] }),
  infer({ inputs: [{ ...tensor, parameters: { data: values } }] }),
  infer({ inputs: [{ ...tensor, data: values, parameters: { binary_data_size: 48 } }] }),
  infer({ inputs: [{ ...tensor, data: values }] }, '/v2/models/small/versions/9/infer'),
  infer({ inputs: [{ ...tensor, data: values }] }, '/v2/models/none/infer'),
  { ...binary('FP32'), headers: { 'inference-header-content-length': '99999' } },
];

function bytesOf({ path, body, headers = {} }: Ask): Buffer {
  const lines = Object.entries({ host: 'x', ...headers, 'content-length': String(Buffer.byteLength(body)) });
  const head = `POST ${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`;
  return Buffer.concat([Buffer.from(head), Buffer.from(body)]);
}

/** A client that only knows bytes, so that nothing comes between. */
class Client {
  readonly socket: Socket;
  #got: Buffer = Buffer.alloc(0);
  #more = Promise.withResolvers<void>();

  constructor(url: string) {
    this.socket = connect(Number(new URL(url).port), '127.0.0.1').setNoDelay(true);
    const wake = (): void => {
      this.#more.resolve();
      this.#more = Promise.withResolvers();
    };
    this.socket.on('error', wake).on('close', wake);
    this.socket.on('data', (chunk: Buffer) => {
      this.#got = Buffer.concat([this.#got, chunk]);
      wake();
    });
  }

  async answer(): Promise<Answer> {
    for (;;) {
      const end = this.#got.indexOf('\r\n\r\n');
      const [first, ...lines] = this.#got.subarray(0, Math.max(0, end)).toString('latin1').split('\r\n');
      const headers = Object.fromEntries(
        lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 2)]),
      );
      const whole = end + 4 + Number(headers['content-length'] ?? 0);
      if (end >= 0 && this.#got.length >= whole) {
        const body = this.#got.subarray(end + 4, whole);
        this.#got = this.#got.subarray(whole);
        return { status: Number(first!.split(' ')[1]), headers, body };
      }
      assert.ok(!this.socket.destroyed, `the connection is gone, with ${this.#got.length} bytes unread`);
      await this.#more.promise;
    }
  }
}

/** What differs from answer to answer, or is of the connection. */
function comparable({ status, headers, body }: Answer, isOwnId: boolean): object {
  const { date, 'x-request-id': id, connection: _, 'keep-alive': __, ...rest } = headers;
  assert.ok(date && id);
  const problem = status === 200 ? body.toString('latin1') : { ...JSON.parse(body.toString()), requestId: '' };
  return {
    status,
    headers: status === 200 ? rest : { ...rest, 'content-length': '' },
    body: problem,
    id: isOwnId ? id : '',
  };
}

async function expected({ path, body, headers = {} }: Ask): Promise<object> {
  const answer = await served.app.inject({ method: 'POST', url: path, payload: body, headers });
  const its = Object.fromEntries(Object.entries(answer.headers).map(([name, value]) => [name, String(value)]));
  return comparable({ status: answer.statusCode, headers: its, body: answer.rawPayload }, !!headers['x-request-id']);
}

test('each answer is the one that Node’s server gives, headers and bytes, and Node’s server is not asked', async () => {
  const client = new Client(served.url);
  for (const ask of ANSWERED) {
    const wanted = await expected(ask);
    const before = ordinary;
    client.socket.write(bytesOf(ask));
    const answer = await client.answer();
    assert.equal(answer.status, 200, answer.body.toString());
    assert.deepEqual(comparable(answer, !!ask.headers?.['x-request-id']), wanted);
    assert.equal(ordinary, before, `${ask.path} went the other way`);
    const json = answer.body.subarray(
      0,
      Number(answer.headers['inference-header-content-length'] ?? answer.body.length),
    );
    assert.equal(
      json.toString(),
      JSON.stringify(JSON.parse(json.toString())),
      'the JSON is as JSON.stringify writes it',
    );
  }
  client.socket.destroy();
});

test('what is refused is refused by the other way, and the connection goes on there', async () => {
  for (const ask of REFUSED) {
    const client = new Client(served.url);
    const before = ordinary;
    client.socket.write(bytesOf(ask));
    const answer = await client.answer();
    assert.ok(answer.status >= 400 && answer.status < 500, `${answer.status} ${answer.body}`);
    assert.deepEqual(comparable(answer, false), await expected(ask));
    assert.equal(ordinary, before + 1);
    // After a type that it does not take, Node's server closes.
    if (answer.headers['connection'] !== 'close') {
      client.socket.write(bytesOf(ANSWERED[0]!));
      assert.equal((await client.answer()).status, 200);
      assert.equal(ordinary, before + 2);
    }
    client.socket.destroy();
  }
});

test('requests cut anywhere, or one behind the other, get the same answers in their order', async () => {
  const mixed = [...ANSWERED, ...REFUSED.slice(0, 12)];
  const wanted = await Promise.all(mixed.map(expected));
  const seed = Number(process.env['TAPEWATCH_SEED'] ?? 1);
  const which = fc.array(fc.nat(mixed.length - 1), { minLength: 1, maxLength: 5 });
  // Spread evenly: fast-check prefers ends.
  const cuts = fc.array(fc.noBias(fc.nat(9999)), { maxLength: 5 });
  const property = fc.asyncProperty(which, cuts, async (order, places) => {
    const bytes = Buffer.concat(order.map((i) => bytesOf(mixed[i]!)));
    const at = [
      0,
      ...places.map((place) => Math.floor((place / 10_000) * bytes.length)).sort((a, b) => a - b),
      bytes.length,
    ];
    const client = new Client(served.url);
    await once(client.socket, 'connect');
    for (let i = 1; i < at.length; i++) {
      client.socket.write(bytes.subarray(at[i - 1], at[i]));
      // So that they come as pieces.
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    for (const i of order)
      assert.deepEqual(comparable(await client.answer(), !!mixed[i]!.headers?.['x-request-id']), wanted[i]);
    client.socket.destroy();
  });
  await fc.assert(property, { seed, numRuns: 150 });
});

test('a row is scored by its names, in whatever order they come, and is an anomaly above the threshold', async () => {
  const client = new Client(served.url);
  const rows = [
    { c: 0.45, a: 0.5, b: 0.55 },
    { b: 0.001, c: 0.999, a: 0.0015 },
  ];
  client.socket.write(bytesOf(score({ model: 'small', rows, contributions: false })));
  const { items } = JSON.parse((await client.answer()).body.toString()) as { items: object[] };
  const expected = rows.map(({ a, b, c }, i) => {
    const its = served.forest.scoreOne(Float64Array.of(a, b, c));
    return { score: its, forest: its, anomaly: i === 1 };
  });
  assert.deepEqual(items, expected);
  client.socket.destroy();
});

test('other routes work on a connection that has scored, and scoring on one that has not', async () => {
  const client = new Client(served.url);
  for (let i = 0; i < 2; i++) {
    client.socket.write(bytesOf(ANSWERED[5]!));
    assert.equal((await client.answer()).status, 200);
    client.socket.write('GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n');
    assert.equal((await client.answer()).body.toString(), '{"status":"ok"}');
  }
  client.socket.destroy();
});

test('a head is plain only where nothing in it can be read in two ways', () => {
  const head = (...lines: string[]): string => ['POST /v1/score HTTP/1.1', ...lines].join('\r\n');
  assert.deepEqual(plainHead(head('Host: x', 'Content-Type: application/json', 'content-length: 12')), {
    path: '/v1/score',
    contentType: 'application/json',
    bodyBytes: 12,
    jsonBytes: undefined,
    requestId: undefined,
  });
  for (const text of [
    head('Content-Length: 12'),
    head('Host: x'),
    head('Host: x', 'Host: y', 'Content-Length: 12'),
    head('Host: x', 'Content-Length: 12', 'Content-Length: 13'),
    head('Host: x', 'Content-Length: 12', 'Transfer-Encoding: chunked'),
    head('Host: x', 'Content-Length: 012'),
    head('Host: x', 'Content-Length: +12'),
    head('Host: x', 'Content-Length: 1e1'),
    head('Host: x', 'Content-Length: 12, 12'),
    head('Host: x', 'Content-Length : 12'),
    head('Host: x', 'Content-Length: 12', 'Expect: 100-continue'),
    head('Host: x', 'Content-Length: 12', 'Upgrade: h2c'),
    head('Host: x', 'Content-Length: 12', 'Connection: close'),
    head('Host: x', 'Content-Length: 12', 'Origin: https://elsewhere.example'),
    head('Host: x', 'Content-Length: 12', 'Content-Encoding: gzip'),
    head('Host: x', 'Content-Length: 12', ' folded: yes'),
    head('Host: x', 'Content-Length: 12', 'Accept: a\nTransfer-Encoding: chunked'),
    head('Host: x', 'Content-Length: 12', 'Accept: a\rb'),
    head('Host: x', 'Content-Length: 12', 'Accept: a\0b'),
    head('Host: x', 'Content-Length: 12', ''),
    head('Host: x', 'Content-Length: 12').replace('HTTP/1.1', 'HTTP/1.0'),
    head('Host: x', 'Content-Length: 12').replace('/v1/score', '/v1/score?x=1'),
    head('Host: x', 'Content-Length: 12').replace('/v1/score', '/v1/%73core'),
    head('Host: x', 'Content-Length: 12').replace('POST ', 'post '),
    head('Host: x', 'Content-Length: 12').replace('POST ', 'POST  '),
    `\r\n${head('Host: x', 'Content-Length: 12')}`,
  ])
    assert.equal(plainHead(text), null, JSON.stringify(text));
});

test('a head that two servers could read differently is refused, and nothing behind it is taken for a request', async () => {
  const before = ordinary;
  const client = new Client(served.url);
  const inner = bytesOf(ANSWERED[5]!);
  const head = `POST /v1/score HTTP/1.1\r\nhost: x\r\ncontent-length: ${inner.length}\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n`;
  client.socket.write(Buffer.concat([Buffer.from(head), inner]));
  assert.equal((await client.answer()).status, 400);
  await once(client.socket, 'close');
  assert.equal(ordinary, before);
});

test('who does not read its answers is not read from, and gets them all once it does', async () => {
  const client = new Client(served.url);
  const bytes = bytesOf(score({ rows: Array.from({ length: 100 }, () => row) }));
  client.socket.pause();
  const requests = 400;
  let sent = 0;
  const route = /request_duration_seconds_count\{method="POST",route="\/v1\/score",status="200"\} (\d+)/;
  const answered = async (): Promise<number> => Number(route.exec((await served.app.inject('/metrics')).body)?.[1]);
  const first = await answered();
  // Each by itself, as long as the server takes them.
  for (; sent < requests; sent++) {
    client.socket.write(bytes);
    let got = await answered();
    for (let i = 0; i < 100 && got - first <= sent; i++) {
      await new Promise((resolve) => setTimeout(resolve, 5));
      got = await answered();
    }
    if (got - first <= sent) break;
  }
  assert.ok(sent < requests, 'it has taken more than the system’s buffers hold');
  client.socket.resume();
  for (let i = 0; i <= sent; i++) assert.equal((await client.answer()).status, 200);
  client.socket.destroy();
});

test('an answer that is made and not yet sent keeps its place before all that comes in the same turn', async () => {
  const asks = [ANSWERED[0]!, ANSWERED[9]!, ANSWERED[1]!, REFUSED[0]!];
  const wanted = await Promise.all(asks.map(expected));
  const [first, ...others] = asks.map(bytesOf);
  served.app.server.once('connection', (socket: Socket) => {
    // Behind the one that answers, before anything is sent.
    const more = (): void => {
      const next = others.shift();
      if (next) socket.unshift(next);
      else socket.off('data', more);
    };
    socket.on('data', more);
  });
  const client = new Client(served.url);
  client.socket.write(first!);
  for (const its of wanted) assert.deepEqual(comparable(await client.answer(), false), its);
  assert.equal(others.length, 0);
  client.socket.destroy();
});

for (const who of ['server', 'client'] as const)
  test(`an answer that is made and not yet sent is sent where the ${who} ends the connection`, async () => {
    const its = await startServer();
    // The fast path begins once a first answer has told what stands on all.
    await its.app.inject('/healthz');
    let closed: Promise<void> | undefined;
    its.app.server.once('connection', (socket: Socket) => {
      socket.once('data', () => {
        if (who === 'client') socket.push(null);
        else closed = its.close();
      });
    });
    const client = new Client(its.url);
    client.socket.write(bytesOf(ANSWERED[0]!));
    assert.equal((await client.answer()).status, 200);
    if (!client.socket.closed) await once(client.socket, 'close');
    await (closed ?? its.close());
  });

test('a server that stops cuts who waits and finishes what it has begun', async () => {
  const its = await startServer();
  const [idle, busy] = [new Client(its.url), new Client(its.url)];
  const bytes = bytesOf(ANSWERED[0]!);
  for (const client of [idle, busy]) {
    client.socket.write(bytes);
    await client.answer();
  }
  busy.socket.write(bytes.subarray(0, bytes.length - 5));
  await new Promise((resolve) => setTimeout(resolve, 50));
  const ended = once(idle.socket, 'close');
  const closed = its.close();
  await ended;
  busy.socket.write(bytes.subarray(bytes.length - 5));
  assert.equal((await busy.answer()).status, 200);
  await closed;
});

test('a connection that says nothing for as long as the server waits is cut, asked or not', async () => {
  const its = await startServer();
  its.app.server.keepAliveTimeout = 100;
  const [silent, asked, slow] = [new Client(its.url), new Client(its.url), new Client(its.url)];
  const bytes = bytesOf(ANSWERED[0]!);
  slow.socket.write(bytes.subarray(0, 400));
  const ended = Promise.all([once(silent.socket, 'close'), once(asked.socket, 'close')]);
  asked.socket.write(bytesOf(ANSWERED[0]!));
  assert.equal((await asked.answer()).status, 200);
  await ended;
  slow.socket.write(bytes.subarray(400));
  assert.equal((await slow.answer()).status, 200, 'a body may take its time');
  await its.close();
});
