/** Whatever goes wrong, a client gets one kind of answer and an id to ask about; and what is not its business is closed. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';
import { type Served, startServer } from './server.ts';

let served: Served;
const faults: unknown[] = [];
before(async () => {
  served = await startServer({
    failed: (error) => faults.push(error),
    origins: ['https://quant.example'],
    evidence: () => Promise.reject(new Error('a secret of the server')),
  });
});
after(() => served.close());

const json = { 'content-type': 'application/json' };

test('each error is a problem with its status, a sentence and the request’s id', async () => {
  const body = (size: number): object => ({ method: 'POST', headers: json, body: 'x'.repeat(size) });
  for (const [path, request, status, said] of [
    ['/nowhere', {}, 404, /nothing at/],
    ['/v1/score', { method: 'DELETE' }, 405, /does not know DELETE, but POST/],
    ['/v1/score', { method: 'POST', headers: { 'content-type': 'text/csv' }, body: 'a,b' }, 415, /Media Type/],
    ['/v1/score', body(9 << 20), 413, /too large/],
    ['/v1/score', body(3), 400, /JSON/],
    ['/v1/score', { ...body(0), body: '{"rows":[],"more":1}' }, 400, /body/],
    ['/v1/detect', { ...body(0), body: '{"trades":[{"timestamp":"1"}]}' }, 400, /trades\/0/],
    ['/v1/anomalies?limit=1.5', {}, 400, /limit/],
    ['/v1/%zz', {}, 400, /./],
    ['/v1/anomalies/latest/evidence', {}, 500, /log says why/],
  ] as const) {
    const answer = await fetch(`${served.url}${path}`, request as RequestInit);
    const problem = (await answer.json()) as Record<string, unknown>;
    assert.equal(answer.status, status, path);
    assert.match(answer.headers.get('content-type')!, /^application\/problem\+json/);
    assert.equal(problem['status'], status);
    assert.match(String(problem['detail']), said);
    assert.equal(problem['requestId'], answer.headers.get('x-request-id'));
  }
  assert.deepEqual(
    faults.map(String),
    ['Error: a secret of the server'],
    'who runs it learns what the client does not',
  );
});

test('what is no HTTP gets a problem too', async () => {
  const socket = connect(Number(new URL(served.url).port), '127.0.0.1').setEncoding('latin1');
  let said = '';
  socket.on('data', (chunk: string) => {
    said += chunk;
  });
  socket.write('nonsense\r\n\r\n');
  await once(socket, 'end');
  assert.match(said, /^HTTP\/1.1 400 .*application\/problem\+json.*"status":400/s);
});

test('a request’s id is the client’s own, where it is one', async () => {
  const idOf = async (id: string): Promise<string | null> =>
    (await fetch(`${served.url}/healthz`, { headers: { 'x-request-id': id } })).headers.get('x-request-id');
  assert.equal(await idOf('order-7:a.b'), 'order-7:a.b');
  assert.match((await idOf('<script>'))!, /^[0-9a-f-]{36}$/);
});

test('pages of other origins may call only where the settings name them', async () => {
  const from = async (origin: string): Promise<string | null> =>
    (await fetch(`${served.url}/v1/symbols`, { headers: { origin } })).headers.get('access-control-allow-origin');
  assert.equal(await from('https://quant.example'), 'https://quant.example');
  assert.equal(await from('https://elsewhere.example'), null);
  const preflight = { origin: 'https://quant.example', 'access-control-request-method': 'POST' };
  assert.equal((await fetch(`${served.url}/v1/score`, { method: 'OPTIONS', headers: preflight })).status, 204);
});

test('one address may ask so often and no more; security headers stand on every answer', async () => {
  const limited = await startServer({ rateLimit: 5 });
  const answers = await Promise.all(Array.from({ length: 12 }, () => fetch(`${limited.url}/v1/symbols`)));
  assert.equal(answers.filter(({ status }) => status === 429).length, 7);
  const refused = answers.find(({ status }) => status === 429)!;
  assert.match(refused.headers.get('content-type')!, /problem\+json/);
  assert.ok(Number(refused.headers.get('retry-after')) >= 1);
  for (const { headers } of answers) {
    assert.equal(headers.get('x-content-type-options'), 'nosniff');
    assert.match(headers.get('content-security-policy')!, /default-src 'self'/);
    assert.equal(headers.get('access-control-allow-origin'), null);
  }
  await limited.close();
});
