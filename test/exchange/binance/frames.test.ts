/** The fast reading of a trade frame is the slow one's, byte for byte: else trades would be lost or altered without a word. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { parseFrame, parseFrameByJson } from '../../../src/exchange/binance/frames.ts';
import { scanTrade } from '../../../src/exchange/binance/trade-scanner.ts';
import { DATA, WITHOUT_DATA } from '../../real-data.ts';

const FILES = [
  'spot_btcusdt_20230405.dat.gz',
  'spot_btcusdt_20240808.gz',
  'spot_btcusdt_20240809.gz',
  'spot_ethusdt_20240808.gz',
  'spot_ethusdt_20240809.gz',
  'BINANCE.ws.1.0.gz',
  'BINANCE_US.ws.1.0.gz',
];

function recorded(file: string): Buffer[] {
  const lines = gunzipSync(readFileSync(`${DATA}ws-raw/${file}`))
    .toString()
    .trim()
    .split('\n');
  return lines.map((line) => Buffer.from(line.slice(line.indexOf('{'))));
}

/** What is scanned is what JSON.parse gives; what is not scanned, `parseFrame` leaves to JSON.parse anyway. */
function assertSame(frame: Buffer): void {
  assert.deepEqual(parseFrame(frame), parseFrameByJson(frame), frame.toString());
}

test('recorded frames: every trade is scanned, and all are what JSON.parse gives', { skip: WITHOUT_DATA }, () => {
  let trades = 0;
  for (const file of FILES) {
    for (const frame of recorded(file)) {
      assertSame(frame);
      if (parseFrameByJson(frame).kind !== 'trade') continue;
      trades++;
      assert.ok(scanTrade(frame), 'a recorded trade is none for the scanner');
    }
  }
  assert.ok(trades > 10_000);
});

const digits = (length: number) => fc.stringMatching(new RegExp(`^[0-9]{1,${length}}$`));
const decimal = fc.oneof(
  fc.tuple(digits(9), digits(9)).map(([whole, fraction]) => `${whole}.${fraction}`),
  digits(20),
  fc.constantFrom('', '.', '1.', '.5', '-1', '1e5', '00.1', '0', '1.2.3', '1"', '\\u0031'),
);
const integer = fc.oneof(
  digits(18),
  fc.constantFrom('0', '-0', '1.0', '1e3', '9007199254740991', '9007199254740993', 'null'),
);
const symbol = fc.constantFrom('BTCUSDT', 'ETHUSDT', '1000SATSUSDT', '币安人生USDT', 'btcusdt', '', 'A B', 'A"');
const text = fc
  .record({
    event: fc.constantFrom('trade', 'trade', 'trade', 'aggTrade', 'Trade'),
    E: integer,
    symbol,
    id: integer,
    price: decimal,
    volume: decimal,
    orders: fc.constantFrom('', '', '"b":1,"a":2,', '"b":01,"a":2,', '"b":1,'),
    T: integer,
    m: fc.constantFrom('true', 'false', '1', 'null'),
    M: fc.constantFrom('true', 'false', 'true '),
    combined: fc.boolean(),
  })
  .map(({ event, E, symbol: s, id, price, volume, orders, T, m, M, combined }) => {
    const data = `{"e":"${event}","E":${E},"s":"${s}","t":${id},"p":"${price}","q":"${volume}",${orders}"T":${T},"m":${m},"M":${M}}`;
    return combined ? `{"stream":"${s.toLowerCase()}@trade","data":${data}}` : data;
  });
const soundFrame =
  '{"stream":"btcusdt@trade","data":{"e":"trade","E":1760130000123456,"s":"BTCUSDT","t":5211234567,"p":"112345.67000000","q":"0.01250000","T":1760130000123456,"m":true,"M":true}}';
const damaged = fc
  .array(fc.tuple(fc.nat(soundFrame.length - 1), fc.nat(255), fc.constantFrom('change', 'insert', 'remove', 'cut')), {
    minLength: 1,
    maxLength: 3,
  })
  .map((edits) => {
    let bytes = [...Buffer.from(soundFrame)];
    for (const [at, byte, edit] of edits) {
      if (edit === 'change') bytes[at] = byte;
      else if (edit === 'insert') bytes.splice(at, 0, byte);
      else if (edit === 'remove') bytes.splice(at, 1);
      else bytes = bytes.slice(0, at);
    }
    return Buffer.from(bytes.map((byte) => byte ?? 0));
  });

test('frames of the form, with sound and unsound fields', () => {
  fc.assert(
    fc.property(text, (frame) => assertSame(Buffer.from(frame))),
    { numRuns: 5000 },
  );
});

test('a sound frame with a few bytes changed', () => {
  assert.ok(scanTrade(Buffer.from(soundFrame)));
  fc.assert(fc.property(damaged, assertSame), { numRuns: 20_000 });
});
