/** What capture promises of a feed, one situation at a time, on virtual time. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Feed } from '../../src/capture/feed.ts';
import { ConnectionBudget } from '../../src/exchange/binance/limits.ts';
import { VirtualNetwork } from '../../src/transport/virtual.ts';
import { answer, range, Scene, ScriptedExchange, START_MS } from './scripted-exchange.ts';

test('a server that shuts down is left before it cuts: no trade is lost, none asked for, nobody told', async () => {
  const scene = new Scene({ symbols: ['AUSDT'] });
  await scene.start();
  const { exchange } = scene;
  await scene.pass(20, 100, () => exchange.trade('AUSDT'));
  exchange.connections[0]!.socket.send(`{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":${START_MS}}}`);
  await scene.pass(10, 100, () => exchange.trade('AUSDT'));
  assert.deepEqual(
    exchange.connections.map(({ open }) => open),
    [false, true],
  );
  assert.deepEqual(scene.ids('AUSDT'), range(100, 399));
  assert.equal(exchange.asked('historicalTrades'), 0);
  assert.deepEqual(scene.told, ['connected']);
});

test('the old connection is read until it has told what the new one did not see', async () => {
  const scene = new Scene({ symbols: ['AUSDT'] });
  await scene.start();
  const { exchange } = scene;
  await scene.pass(5, 100, () => exchange.trade('AUSDT'));
  exchange.connections[0]!.socket.send('{"e":"serverShutdown","E":1}');
  // For half a second the new connection gets nothing yet, as a subscription that takes a while.
  await scene.pass(0.5, 50, () => exchange.trade('AUSDT', (connection) => connection === exchange.connections[0]));
  await scene.pass(5, 100, () => exchange.trade('AUSDT'));
  assert.deepEqual(scene.ids('AUSDT'), range(100, 209));
  assert.equal(exchange.asked('historicalTrades'), 0);
});

test('a connection is relieved before the exchange’s 24 h are over', async () => {
  const network = new VirtualNetwork({ seed: 3, startMs: START_MS });
  const exchange = await network.drive(new ScriptedExchange(network.process(), 3000).start());
  const transport = network.process();
  const told: string[] = [];
  const feed = new Feed({
    transport,
    attempts: new ConnectionBudget(transport),
    endpoints: [exchange.wsUrl],
    symbols: ['AUSDT'],
    handlers: {
      trade: () => undefined,
      connected: () => told.push('connected'),
      lost: (reason) => told.push(reason),
      ended: () => told.push('ended'),
      malformed: (_frame, reason) => told.push(reason),
    },
  });
  feed.start();
  await network.drive(transport.sleep(24 * 3_600_000));
  feed.stop();
  assert.deepEqual([exchange.connections.length, told], [2, ['connected', 'ended']]);
  const age_h = (exchange.connections[1]!.openedMs - exchange.connections[0]!.openedMs) / 3_600_000;
  assert.ok(age_h > 22 && age_h < 23.9, `relieved after ${age_h} h`);
});

test('a connection that says nothing is cut, the next endpoint tried, and what was missed fetched', async () => {
  const scene = new Scene({ symbols: ['AUSDT'], endpoints: 2 });
  await scene.start();
  const [first, second] = scene.exchanges;
  await scene.pass(5, 100, () => first!.trade('AUSDT'));
  first!.ticking = false;
  for (const exchange of scene.exchanges) exchange.trades.set('AUSDT', first!.trades.get('AUSDT')!);
  await scene.pass(15, 100, () => first!.trade('AUSDT', () => false));
  assert.equal(second!.connections.length, 1);
  await scene.pass(5, 100, () => second!.trade('AUSDT'));
  assert.deepEqual(scene.ids('AUSDT'), range(100, 349));
  assert.match(scene.told[1]!, /nothing came for 10 s/);
});

test('connections are never tried more than 300 times in 5 minutes, whoever asks', async () => {
  const network = new VirtualNetwork({ seed: 4, startMs: START_MS });
  const clock = network.process();
  const attempts = new ConnectionBudget(clock);
  const times: number[] = [];
  const feeds = Array.from({ length: 40 }, async () => {
    for (let i = 0; i < 25; i++) {
      await attempts.take(new AbortController().signal);
      times.push(clock.now());
      await clock.sleep(500 * network.random.next());
    }
  });
  await network.drive(Promise.all(feeds));
  assert.equal(times.length, 1000);
  for (const at of times) assert.ok(times.filter((other) => other >= at && other < at + 300_000).length <= 300);
});

test('who is cut again and again tries on, ever more slowly', async () => {
  const scene = new Scene({ symbols: ['AUSDT'] });
  await scene.start();
  const { exchange } = scene;
  exchange.trade('AUSDT');
  await scene.pass(600, 1000, () => {
    for (const { socket, open } of exchange.connections) if (open) socket.terminate();
  });
  const { length } = exchange.connections;
  assert.ok(length > 20 && length < 60, `${length} connections in ten minutes`);
});

test('a hole is filled in order, while what follows waits', async () => {
  const scene = new Scene({ symbols: ['AUSDT'] });
  await scene.start();
  const { exchange } = scene;
  await scene.pass(1, 100, () => exchange.trade('AUSDT'));
  for (let i = 0; i < 2500; i++) exchange.trade('AUSDT', () => false);
  await scene.pass(3, 100, () => exchange.trade('AUSDT'));
  assert.deepEqual(scene.ids('AUSDT'), range(100, 2639));
  assert.deepEqual(scene.told, ['connected', 'AUSDT repaired 1000', 'AUSDT repaired 1000', 'AUSDT repaired 500']);
});

test('ids that REST does not have are a gap; ids it does not have yet are waited for', async () => {
  const scene = new Scene({ symbols: ['AUSDT'] });
  await scene.start();
  const { exchange } = scene;
  await scene.pass(1, 100, () => exchange.trade('AUSDT'));
  const list = exchange.trades.get('AUSDT')!;
  for (let i = 0; i < 3; i++) exchange.trade('AUSDT', () => false);
  list.splice(-3);
  list.push({ ...exchange.trade('AUSDT', () => false), id: 113 });
  list.splice(-2, 1);
  exchange.send(exchange.connections[0]!, list.at(-1)!);
  await scene.pass(2);
  assert.deepEqual(
    scene.of('gap').map(({ first, last, reason }) => [first, last, reason]),
    [[110, 112, 'not_on_exchange']],
  );
  // The database behind REST is late: it knows neither the hole nor the trade after it.
  const hidden = [exchange.trade('AUSDT', () => false), exchange.trade('AUSDT')];
  list.splice(-2);
  await scene.pass(5);
  assert.deepEqual(scene.ids('AUSDT'), [...range(100, 109), 113]);
  list.push(...hidden);
  await scene.pass(2);
  assert.deepEqual(scene.ids('AUSDT'), [...range(100, 109), ...range(113, 115)]);
  assert.equal(scene.of('gap').length, 1);
});

test('beyond the repair limit the older trades are a gap', async () => {
  const scene = new Scene({ symbols: ['AUSDT'], repairLimit: 50 });
  await scene.start();
  const { exchange } = scene;
  exchange.trade('AUSDT');
  for (let i = 0; i < 200; i++) exchange.trade('AUSDT', () => false);
  exchange.trade('AUSDT');
  await scene.pass(3);
  assert.deepEqual(scene.ids('AUSDT'), [100, ...range(251, 301)]);
  assert.deepEqual(
    scene.of('gap').map(({ first, last, reason }) => [first, last, reason]),
    [[101, 250, 'repair_limit']],
  );
});

test('where REST never answers, what is held back goes on after a minute behind a gap', async () => {
  const scene = new Scene({ symbols: ['AUSDT'] });
  await scene.start();
  const { exchange } = scene;
  exchange.trade('AUSDT');
  await scene.pass(1);
  exchange.refuse = () => answer({}, 503);
  exchange.trade('AUSDT', () => false);
  await scene.pass(50, 1000, () => exchange.trade('AUSDT'));
  assert.deepEqual(scene.ids('AUSDT'), [100]);
  await scene.pass(20, 1000, () => exchange.trade('AUSDT'));
  assert.deepEqual(scene.ids('AUSDT'), [100, ...range(102, 171)]);
  assert.deepEqual(
    scene.of('gap').map(({ first, last, reason }) => [first, last, reason]),
    [[101, 101, 'hole']],
  );
});

test('a host without historicalTrades repairs what its last thousand trades hold', async () => {
  const scene = new Scene({ symbols: ['AUSDT'] });
  await scene.start();
  const { exchange } = scene;
  exchange.refuse = (path) => (path.endsWith('historicalTrades') ? answer({}, 404) : null);
  exchange.trade('AUSDT');
  for (let i = 0; i < 20; i++) exchange.trade('AUSDT', () => false);
  exchange.trade('AUSDT');
  await scene.pass(2);
  assert.deepEqual(scene.ids('AUSDT'), range(100, 121));
  for (let i = 0; i < 1500; i++) exchange.trade('AUSDT', () => false);
  exchange.trade('AUSDT');
  await scene.pass(2);
  assert.deepEqual(scene.ids('AUSDT'), [...range(100, 121), ...range(623, 1622)]);
  assert.deepEqual(
    scene.of('gap').map(({ first, last, reason }) => [first, last, reason]),
    [[122, 622, 'repair_limit']],
  );
});

test('429 and 418 are waited out, and no request is made before Retry-After', async () => {
  const scene = new Scene({ symbols: ['AUSDT'] });
  await scene.start();
  const { exchange } = scene;
  exchange.trade('AUSDT');
  await scene.pass(1);
  exchange.refuse = () => answer({}, 418, { 'Retry-After': '30' });
  exchange.trade('AUSDT', () => false);
  exchange.trade('AUSDT');
  await scene.pass(5);
  exchange.refuse = () => null;
  const asked = exchange.requests.length;
  const bannedMs = exchange.requests.at(-1)!.atMs;
  await scene.pass(40);
  const next = exchange.requests[asked]!;
  assert.ok(next.atMs - bannedMs >= 30_000, `asked again after ${next.atMs - bannedMs} ms`);
  assert.deepEqual(scene.ids('AUSDT'), [100, 101, 102]);
});

test('after a restart with 400 symbols the budget holds, and what was missed is fetched', async () => {
  const symbols = Array.from({ length: 400 }, (_, i) => `S${i}USDT`);
  const scene = new Scene({ symbols });
  const first = await scene.start();
  const { exchange } = scene;
  await scene.pass(2, 1000, () => {
    for (const symbol of symbols) exchange.trade(symbol);
  });
  first.kill();
  await scene.log.expel(first);
  // Every tenth symbol trades while nobody listens, and nobody trades after.
  const missed = symbols.filter((_, i) => i % 10 === 0);
  for (const symbol of missed) exchange.trade(symbol);
  const before = exchange.requests.length;
  await scene.start();
  await scene.pass(30);
  for (const symbol of symbols)
    assert.deepEqual(scene.ids(symbol), missed.includes(symbol) ? [100, 101, 102] : [100, 101]);
  const weights: Readonly<Record<string, number>> = {
    historicalTrades: 25,
    aggTrades: 4,
    exchangeInfo: 20,
    '24hr': 80,
  };
  const weight = exchange.requests
    .slice(before)
    .reduce((sum, { path }) => sum + weights[path.slice(path.lastIndexOf('/') + 1)]!, 0);
  assert.ok(weight < 3000, `a restart weighs ${weight}`);
  assert.ok(scene.of('heartbeat').length > 0);
});

test('no heartbeat before REST has told the last id after a restart, none past a hole, none by a clock', async () => {
  const scene = new Scene({ symbols: ['AUSDT', 'BUSDT'] });
  const first = await scene.start();
  const { exchange } = scene;
  await scene.pass(10, 500, () => {
    exchange.trade('AUSDT');
    exchange.trade('BUSDT');
  });
  const beats = scene.of('heartbeat');
  assert.ok(beats.length >= 7);
  for (const { timestamp } of beats) assert.ok((timestamp as number) <= START_MS + 11_000 - 2000);
  first.kill();
  await scene.log.expel(first);
  const told = scene.of('heartbeat').length;
  exchange.trade('BUSDT');
  exchange.refuse = () => answer({}, 503);
  await scene.start();
  await scene.pass(20, 1000, () => exchange.trade('AUSDT'));
  assert.equal(scene.of('heartbeat').length, told, 'B may have traded unseen');
  exchange.refuse = () => null;
  await scene.pass(5, 1000, () => exchange.trade('AUSDT'));
  assert.ok(scene.of('heartbeat').length > told);
  assert.deepEqual(scene.ids('BUSDT'), range(100, 120));
  // Trades that the stream loses while a symbol is quiet are not promised away.
  exchange.trade('BUSDT', () => false);
  await scene.pass(10, 1000, () => exchange.trade('AUSDT'));
  assert.deepEqual(scene.ids('BUSDT'), range(100, 121));
  exchange.ticking = false;
  await scene.pass(5);
  const still = scene.of('heartbeat').length;
  await scene.pass(4);
  assert.equal(scene.of('heartbeat').length, still, 'the exchange says nothing, so nothing is promised');
  assert.equal(
    scene.told.some((line) => line.endsWith('late')),
    false,
  );
  const epochs = new Set(scene.of('heartbeat').map(({ epoch }) => epoch));
  assert.equal(epochs.size, 2);
});

test('capture is ready while partitions are its own, and not before nor after', async () => {
  const scene = new Scene({ symbols: ['AUSDT'] });
  await scene.start();
  await scene.start();
  const [first, standBy] = scene.captures;
  assert.deepEqual([first!.isReady, standBy!.isReady], [true, false]);
  const stopping = first!.stop();
  assert.equal(first!.isReady, false);
  await scene.network.drive(stopping);
  await scene.pass(10);
  assert.deepEqual([first!.isReady, standBy!.isReady], [false, true]);
  await scene.network.drive(standBy!.stop());
});

test('when the log is slow the socket is read more slowly, and nothing is dropped', async () => {
  const scene = new Scene({ symbols: ['AUSDT'] });
  await scene.start();
  const { exchange } = scene;
  scene.log.stuckUntilMs = START_MS + 60_000;
  exchange.volume = `2.${'0'.repeat(4000)}`;
  await scene.pass(30, 100, () => {
    for (let i = 0; i < 30; i++) exchange.trade('AUSDT');
  });
  assert.ok(exchange.connections[0]!.socket.bufferedBytes() > 1_000_000, 'the exchange keeps what is not read');
  scene.log.stuckUntilMs = 0;
  await scene.pass(60);
  assert.equal(scene.ids('AUSDT').length, exchange.trades.get('AUSDT')!.length);
  assert.equal(exchange.asked('historicalTrades'), 0);
});

test('a halted symbol is marked, by the time of its tape, and its next trade ends that', async () => {
  const scene = new Scene({ symbols: ['AUSDT', 'BUSDT'] });
  await scene.start();
  const { exchange } = scene;
  const last = exchange.trade('BUSDT');
  await scene.pass(5, 1000, () => exchange.trade('AUSDT'));
  exchange.refuse = (path) =>
    path.endsWith('exchangeInfo')
      ? answer({
          symbols: [
            { symbol: 'AUSDT', status: 'TRADING' },
            { symbol: 'BUSDT', status: 'HALT' },
          ],
        })
      : null;
  await scene.pass(30, 1000, () => exchange.trade('AUSDT'));
  const [halted] = scene.of('status');
  assert.deepEqual([halted?.['symbol'], halted?.['status']], ['BUSDT', 'halted']);
  assert.ok((halted!['timestamp'] as number) >= last.timeUs / 1000);
  const next = exchange.trade('BUSDT');
  await scene.pass(1);
  const resumed = scene.of('status').at(-1)!;
  assert.deepEqual([resumed['status'], resumed['timestamp']], ['resumed', next.timeUs / 1000]);
});

test('a frame that can’t be read goes to the dead letters with its reason, and the stream goes on', async () => {
  const scene = new Scene({ symbols: ['AUSDT'] });
  await scene.start();
  const { exchange } = scene;
  exchange.trade('AUSDT');
  exchange.connections[0]!.socket.send('{"stream":"ausdt@trade","data":{"e":"trade","E":17');
  exchange.trade('AUSDT');
  await scene.pass(2);
  assert.deepEqual(scene.ids('AUSDT'), [100, 101]);
  const [letter] = scene.log.topic(scene.topics.deadLetters).partitions[0]!;
  const { reason, value } = JSON.parse(new TextDecoder().decode(letter!.value!)) as Record<string, string>;
  assert.deepEqual([reason, Buffer.from(value!, 'base64').toString().slice(0, 10)], ['not JSON', '{"stream":']);
});
