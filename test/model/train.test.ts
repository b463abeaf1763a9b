/** A model from the exchange's history: fetched once, gone on with after an interruption, the same bytes each time. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { encodeTrade } from '../../src/market/codec.ts';
import { isTrade, type TradeText } from '../../src/market/records.ts';
import { encodeArtefact, loadArtefact } from '../../src/model/artefact-file.ts';
import { modelCard } from '../../src/model/card.ts';
import { train } from '../../src/model/train.ts';
import { trainInThread } from '../../src/model/train-thread.ts';
import { type SimulatedExchange, startExchange } from '../../src/simulator/exchange-server.ts';
import { Market } from '../../src/simulator/market-model.ts';
import { readTape } from '../../src/tape-files/tape.ts';
import { networkHost } from '../../src/transport/network.ts';

const BIN = fileURLToPath(new URL('../../bin/tapewatch.js', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'tapewatch-train-'));
const HOUR = 3_600_000;
const START = Date.UTC(2026, 0, 5, 23, 30);
const NOW = Date.UTC(2026, 0, 7, 0, 30);

let exchange: SimulatedExchange;
const past: TradeText[] = [];
const symbols: string[] = [];

before(async () => {
  const market = new Market({ seed: 3, symbols: 2, startMs: START });
  symbols.push(...market.symbols.map(({ name }) => name));
  // Half an hour either side of a midnight, and a day later some trades of the day that is not over.
  for (let until = START + 60_000; until <= START + HOUR; until += 60_000) past.push(...market.next(until, 1e6));
  for (const symbol of symbols) {
    const last = past.findLast((trade) => trade.symbol === symbol)!;
    for (let i = 1; i <= 100; i++) past.push({ ...last, id: last.id + i, timeUs: (NOW - 600_000 + i) * 1000 });
  }
  exchange = await startExchange({
    host: networkHost,
    port: 0,
    symbols,
    startMs: NOW,
    speed: 1,
    source: () => [],
    faults: [],
    before: past,
  });
});
after(() => exchange.stop());

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

function run(args: readonly string[]): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [BIN, ...args]);
    let out = '';
    let err = '';
    child.stdout.on('data', (data) => (out += data));
    child.stderr.on('data', (data) => (err += data));
    child.on('close', (code) => resolve({ code, out, err }));
  });
}

const trainArgs = (history: string, out: string): string[] => [
  'train',
  '--symbols',
  symbols.join(',').toLowerCase(),
  '--days',
  '2',
  '--rest-url',
  exchange.httpUrl,
  '--history-dir',
  history,
  '--out',
  out,
];

test('history is fetched by whole days, a run that was killed goes on, and the same days and seed give the same model', async () => {
  const history = join(folder, 'history');
  const [a, b] = ['a.json', 'b.json'].map((name) => join(folder, name));
  const first = await run(trainArgs(history, a!));
  assert.equal(first.code, 0, first.err);
  const names = symbols.flatMap((symbol) => ['05', '06'].map((day) => `${symbol}-aggTrades-2026-01-${day}.csv`));
  assert.deepEqual(readdirSync(history).sort(), names.sort());
  const bytes = new Map(names.map((name) => [name, readFileSync(join(history, name), 'utf8')]));

  // As an interrupted run leaves it: a day half written, its last line torn, the next day not begun.
  const [day] = names;
  const path = join(history, day!);
  writeFileSync(`${path}.part`, bytes.get(day!)!);
  truncateSync(`${path}.part`, Math.floor(statSync(path).size / 2) + 3);
  for (const name of names.slice(0, 2)) rmSync(join(history, name));
  const second = await run(trainArgs(history, b!));
  assert.equal(second.code, 0, second.err);
  for (const name of names) assert.ok(readFileSync(join(history, name), 'utf8') === bytes.get(name), name);
  assert.ok(readFileSync(a!).equals(readFileSync(b!)), 'the two models differ');
  assert.match(modelCard(loadArtefact(a!)), /trades of 2 symbols/);
});

test('what was fetched is what the exchange had: every fill, none of the day that is not over', async () => {
  const history = join(folder, 'history');
  for (const symbol of symbols) {
    const tape = [];
    for await (const batch of readTape([history])) tape.push(...batch.filter((r) => isTrade(r) && r.symbol === symbol));
    const whole = past.filter((trade) => trade.symbol === symbol && trade.timeUs < Date.UTC(2026, 0, 7) * 1000);
    const rows = readdirSync(history)
      .filter((name) => name.startsWith(symbol))
      .flatMap((name) => readFileSync(join(history, name), 'utf8').trim().split('\n'))
      .map((row) => row.split(','));
    // Column 3 and 4 are the first and last trade id of each aggregate.
    const ids = rows.flatMap(([, , , f, l]) =>
      Array.from({ length: Number(l) - Number(f) + 1 }, (_, i) => Number(f) + i),
    );
    assert.deepEqual(
      ids,
      whole.map(({ id }) => id),
    );
    assert.equal(tape.filter((record) => 'price' in record).length, rows.length);
  }
});

test('a thread gives the bytes that training gives, leaves the event loop free, and stops when asked', async () => {
  const trades = past.filter(({ timeUs }) => timeUs < (START + HOUR) * 1000);
  const lines = trades.map((trade) => `${encodeTrade(trade)}\n`);
  async function* chunks(): AsyncIterable<Uint8Array<ArrayBuffer>> {
    for (let i = 0; i < lines.length; i += 2000) {
      const text = `${lines.slice(i, i + 2000).join('')}no record\n`;
      yield new Uint8Array(new TextEncoder().encode(text));
    }
  }
  const path = join(folder, 'thread.ndjson');
  writeFileSync(path, lines.join(''));
  const wanted = encodeArtefact(await train({ tape: () => readTape([path]), seed: 5, command: 'nightly' }));
  const stop = new AbortController();
  let turns = 0;
  const turning = setInterval(() => turns++, 1);
  const text = await trainInThread({ chunks, seed: 5, command: 'nightly', signal: stop.signal });
  clearInterval(turning);
  assert.ok(text === wanted, 'another artefact');
  assert.ok(turns > 10, `the event loop turned ${turns} times`);
  const stopped = trainInThread({ chunks, seed: 5, command: 'nightly', signal: stop.signal });
  setTimeout(() => stop.abort(), 50);
  await assert.rejects(stopped, { code: 'aborted' });
  const nothing = { async *chunks(): AsyncIterable<Uint8Array<ArrayBuffer>> {}, seed: 1, command: '' };
  await assert.rejects(trainInThread({ ...nothing, signal: new AbortController().signal }), /too short to train on/);
});

test('no exchange, no options and wrong ones each say what to do', async () => {
  const out = join(folder, 'x.json');
  const nothing = await run(['train', '--out', out]);
  assert.equal(nothing.code, 2);
  assert.match(nothing.err, /Give tapes with --tape, or --symbols and --days/);
  const wrong = await run(['train', '--symbols', 'A', '--days', '0', '--out', out]);
  assert.equal(wrong.code, 2);
  assert.match(wrong.err, /--days is 0/);
});
