/** The picture beside an alert: a PNG that any reader takes, with the price where it was. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { crc32, inflateSync } from 'node:zlib';
import type { Bar } from '../../src/market/records.ts';
import { chartImage } from '../../src/notify/chart-image.ts';
import { specimen } from '../contract/notifier.ts';

const bars = (count: number): Bar[] =>
  Array.from({ length: count }, (_, i) => {
    const close = 100 + i / 10;
    const timestamp = specimen.timestamp - (count - i) * 1000;
    const at = { symbol: 'A', timestamp, open: close, high: close, low: close, close, volume: 1, trades: 1 };
    return { ...at, quoteVolume: 1 + i, takerBuyVolume: 1, score: 0, level: 0 };
  });

/** Width, height and pixels, read by the specification: each chunk's sum is checked, rows have no filter. */
function read(png: Buffer): { width: number; height: number; at: (x: number, y: number) => number } {
  assert.deepEqual([...png.subarray(0, 8)], [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  const chunks = new Map<string, Buffer>();
  for (let at = 8; at < png.length; ) {
    const length = png.readUInt32BE(at);
    const body = png.subarray(at + 4, at + 8 + length);
    assert.equal(png.readUInt32BE(at + 8 + length), crc32(body));
    chunks.set(body.subarray(0, 4).toString('latin1'), body.subarray(4));
    at += 12 + length;
  }
  assert.deepEqual([...chunks.keys()], ['IHDR', 'PLTE', 'IDAT', 'IEND']);
  const [width, height] = [chunks.get('IHDR')!.readUInt32BE(0), chunks.get('IHDR')!.readUInt32BE(4)];
  const rows = inflateSync(chunks.get('IDAT')!);
  assert.equal(rows.length, (width + 1) * height);
  return { width, height, at: (x, y) => rows[y * (width + 1) + 1 + x]! };
}

test('a rising price rises from left to right', () => {
  const { width, height, at } = read(Buffer.from(chartImage(bars(500), specimen)!));
  const top = (x: number): number => {
    for (let y = 0; y < height; y++) if (at(x, y) === 3) return y;
    return -1;
  };
  const columns = Array.from({ length: width }, (_, x) => top(x)).filter((y) => y >= 0);
  assert.ok(columns.length > width / 2);
  assert.ok(columns[0]! > columns[columns.length >> 1]! && columns[columns.length >> 1]! > columns.at(-1)!);
});

test('too little to show is no picture', () => {
  assert.equal(chartImage(bars(5), specimen), null);
});
