import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { encodeTrade } from '../../src/market/codec.ts';
import { type Gap, isTrade, type TapeRecord, type Trade } from '../../src/market/records.ts';
import { readDecimal } from '../../src/tape-files/decimal.ts';
import { NdjsonWriter } from '../../src/tape-files/ndjson-writer.ts';
import { readTape, sizeOfFiles } from '../../src/tape-files/tape.ts';
import { BTC, TRX, WITHOUT_DATA } from '../real-data.ts';

const folder = mkdtempSync(join(tmpdir(), 'tapewatch-tape-'));

function file(name: string, content: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

async function records(...paths: string[]): Promise<TapeRecord[]> {
  const all: TapeRecord[] = [];
  for await (const batch of readTape(paths)) all.push(...batch);
  return all;
}

test('a decimal read from bytes is the double that Number gives', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.double({ min: 0, max: 1e12, noNaN: true }).map(String),
        fc.stringMatching(/^[0-9]{1,20}(\.[0-9]{0,24})?$/),
      ),
      (text) => {
        const bytes = new TextEncoder().encode(`${text},`);
        const cursor = { bytes, at: 0 };
        assert.equal(readDecimal(cursor), Number(text));
        assert.equal(cursor.at, text.length);
      },
    ),
  );
});

test('trades written byte by byte are the bytes of encodeTrade, or a tape would not compare with the log', () => {
  const digits = fc.tuple(fc.nat({ max: 1e9 }), fc.nat({ max: 99_999_999 }));
  const trade = fc.record({
    timeUs: fc.oneof(
      fc.integer({ min: 1, max: 4e15 }),
      fc.nat({ max: 4e9 }).map((ms) => 1000 * (ms + 1)),
    ),
    symbol: fc.constantFrom('BTCUSDT', '1000SATSUSDT', 'A'),
    id: fc.nat({ max: Number.MAX_SAFE_INTEGER }),
    price: digits.map(([whole, part]) => `${whole}.${String(part).padStart(8, '0')}`),
    volume: digits.map(([whole]) => String(whole)),
    side: fc.constantFrom('buy' as const, 'sell' as const),
  });
  fc.assert(
    fc.property(fc.array(trade, { maxLength: 50 }), (trades) => {
      let written = '';
      const writer = new NdjsonWriter((bytes) => {
        written += new TextDecoder().decode(bytes);
      });
      for (const one of trades) writer.trade(one);
      writer.flush();
      assert.equal(written, trades.map((one) => `${encodeTrade(one)}\n`).join(''));
    }),
  );
});

const EXPECTED: Trade = {
  timestamp: 1760054402123.456,
  symbol: 'TRXUSDT',
  id: 7,
  price: 0.337,
  volume: 40.9,
  side: 'buy',
};

test('each format gives the same trade', async () => {
  const rows: readonly [string, string][] = [
    ['TRXUSDT-trades-2025-10-10.csv', '7,0.33700000,40.90000000,13.78330000,1760054402123456,False,True\n'],
    [
      'TRXUSDT_headed.csv',
      'id,price,qty,quote_qty,time,is_buyer_maker,is_best_match\n7,0.337,40.9,13.7833,1760054402123456,false,true\n',
    ],
    [
      'tardis.csv',
      'exchange,symbol,timestamp,local_timestamp,id,side,price,amount\nbinance,TRXUSDT,1760054402123456,1760054402130000,7,buy,0.337,40.9\n',
    ],
    [
      'own.ndjson',
      '{"timestamp":1760054402123.456,"symbol":"TRXUSDT","id":7,"price":0.33700000,"volume":40.9,"side":"buy"}\n',
    ],
    [
      'own-spaced.ndjson',
      '{ "symbol": "TRXUSDT", "timestamp": 1760054402123.456, "id": 7, "price": 0.337, "volume": 40.9, "side": "buy" }',
    ],
  ];
  for (const [name, text] of rows) {
    assert.deepEqual(await records(file(name, text)), [EXPECTED], name);
    assert.deepEqual(await records(file(`${name}.gz`, gzipSync(text))), [EXPECTED], `${name}.gz`);
  }
});

test('rows without ids are numbered through all files of a symbol, and a pause between files is a gap', async () => {
  const header = 'timestamp,symbol,price,quantity,is_buyer_maker\n';
  const a = file('a.csv', `${header}1600000000000,ABC,1,2,True\n1600000001000,ABC,1,2,True\n`);
  const b = file('b.csv', `${header}1600000100000,ABC,1,2,False\n`);
  const tape = await records(b, a);
  assert.deepEqual(
    tape.map((record) => (isTrade(record) ? record.id : record.type)),
    [1, 2, 'gap', 3],
  );
});

test('a hole in the ids is a gap before the next trade, a repeated id is dropped', async () => {
  const line = (id: number): string => `${id},1.0,1.0,1.0,${1760054402000 + id},True,True\n`;
  const tape = await records(file('HOLEUSDT-trades.csv', line(1) + line(2) + line(2) + line(6)));
  assert.deepEqual(
    tape.map((record) =>
      isTrade(record) ? record.id : 'first' in record ? [record.first, record.last, record.reason] : null,
    ),
    [1, 2, [3, 5, 'hole'], 6],
  );
});

test('symbols are merged by time, symbol and id as a sort of all rows would', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(fc.nat(50), { minLength: 1, maxLength: 30 }), { minLength: 2, maxLength: 5 }),
      async (steps) => {
        const trades = steps.map((ticks, s) => {
          let at = 1_760_000_000_000;
          return ticks.map((tick, i): Trade => {
            at += tick;
            return { timestamp: at, symbol: `S${s}USDT`, id: i + 1, price: 1, volume: 1, side: 'sell' };
          });
        });
        const paths = trades.map((rows, s) =>
          file(
            `m${s}.ndjson`,
            rows.map((t) => `${encodeTrade({ ...t, timeUs: t.timestamp * 1000, price: '1', volume: '1' })}\n`).join(''),
          ),
        );
        const sorted = trades
          .flat()
          .sort(
            (a, b) => a.timestamp - b.timestamp || (a.symbol < b.symbol ? -1 : a.symbol > b.symbol ? 1 : a.id - b.id),
          );
        assert.deepEqual(await records(...paths), sorted);
      },
    ),
    { numRuns: 20 },
  );
});

test('a folder is all tapes in it, in order of time, of which one a symbol is open; what else is in it is left out', async () => {
  const own = mkdtempSync(join(folder, 'many-'));
  const line = (symbol: string, at: number, id: number): string =>
    `${encodeTrade({ timeUs: at * 1000, symbol, id, price: '1', volume: '1', side: 'buy' })}\n`;
  for (let day = 0; day < 40; day++) {
    for (const symbol of ['AUSDT', 'BUSDT']) {
      const text = [0, 1].map((i) => line(symbol, 1_760_000_000_000 + day * 1000 + i, 2 * day + i + 1)).join('');
      // Names that sort against time.
      writeFileSync(join(own, `${symbol}-${99 - day}.ndjson`), text);
    }
  }
  writeFileSync(join(own, 'labels.csv'), 'what,ever\n');
  writeFileSync(join(own, 'half.csv.part'), 'x');
  const leftOut: string[] = [];
  const all: TapeRecord[] = [];
  const seen = { bytes: 0 };
  const options = {
    onLeftOut: (path: string) => leftOut.push(path),
    onProgress: (bytes: number) => (seen.bytes = bytes),
  };
  for await (const batch of readTape([own], options)) all.push(...batch);
  const times = all.map((record) => (isTrade(record) ? record.timestamp : 0));
  assert.equal(times.length, 160);
  assert.deepEqual(
    times,
    times.toSorted((a, b) => a - b),
  );
  assert.deepEqual(leftOut, [join(own, 'labels.csv')]);
  assert.equal(seen.bytes, sizeOfFiles([own]), 'progress ends at the whole');
  await assert.rejects(records(join(own, 'labels.csv')), /is no tape/);
  await assert.rejects(records(mkdtempSync(join(folder, 'empty-'))), /holds no tape/);
});

test('a row that can not be read names file, line and fault', async () => {
  const path = file(
    'BADUSDT-trades.csv',
    '1,1.0,1.0,1.0,1760054402000,True,True\n2,x,1.0,1.0,1760054402000,True,True\n',
  );
  await assert.rejects(records(path), /BADUSDT-trades\.csv, line 2: its price or volume/);
  await assert.rejects(records(file('notes.txt', 'hello\n')), /is no tape: its first line is "hello"/);
  await assert.rejects(records(join(folder, 'absent.csv')), /Can't find the tape/);
});

test('the real tapes are read row by row', { skip: WITHOUT_DATA }, async () => {
  const trx = await records(TRX);
  const rows = gunzipSync(readFileSync(TRX)).toString().trim().split('\n').length - 1;
  assert.equal(trx.filter(isTrade).length, rows);
  const gaps = trx.filter((record) => 'type' in record && record.type === 'gap');
  assert.equal(gaps.length, 1);
  const [gap] = gaps as Gap[];
  assert.deepEqual([gap!.first, gap!.last], [378897420, 378897427]);
  assert.equal((await records(BTC)).filter(isTrade).length, 140_489);
});
