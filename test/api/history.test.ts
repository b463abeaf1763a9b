/** A chart that is scrolled back reads what memory no longer holds from the log, each bar once; history is seen, not scored. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openEmbeddedLog } from '../../src/event-log/embedded/embedded-log.ts';
import type { EventLog } from '../../src/event-log/event-log.ts';
import { topicNames, topicSpecs } from '../../src/event-log/topics.ts';
import { encodeBar } from '../../src/market/codec.ts';
import type { Bar } from '../../src/market/records.ts';
import { readBars } from '../../src/views/bar-history.ts';
import { Views } from '../../src/views/views.ts';

const START = 1_760_000_000_000;
const SECONDS = 2000;
const symbols = ['AUSDT', 'BUSDT', 'CUSDT'] as const;

const barOf = (symbol: string, second: number): Bar => ({
  symbol,
  timestamp: START + second * 1000,
  open: 1,
  high: 2,
  low: 1,
  close: second,
  volume: 3,
  quoteVolume: 5,
  trades: 2,
  takerBuyVolume: 3,
  score: 4,
  level: 5,
});

async function withViews(recent: number, use: (views: Views, log: EventLog) => Promise<void>): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'tapewatch-history-'));
  const log = await openEmbeddedLog({ dir, now: Date.now });
  const topics = topicNames('');
  await log.ensureTopics(topicSpecs({ prefix: '', partitions: 1, retentionMs: null }));
  const bars = Array.from({ length: SECONDS }, (_, second) => symbols.map((symbol) => barOf(symbol, second))).flat();
  await log.append(
    bars.map((bar) => ({ topic: topics.bars, key: bar.symbol, value: Buffer.from(encodeBar(bar)), partition: 0 })),
  );
  const { score: _, level: __, ...history } = { ...barOf('HUSDT', -5), close: 7 };
  const past = JSON.stringify({ type: 'bar', ...history });
  await log.append([{ topic: topics.trades, key: 'HUSDT', value: Buffer.from(past), partition: 0 }]);
  const stop = new AbortController();
  const views = new Views(log, topics);
  const running = views.run(stop.signal, recent);
  try {
    while (views.symbol('AUSDT')?.bars.at(-1)?.close !== SECONDS - 1 || !views.symbol('HUSDT'))
      await new Promise((resolve) => setTimeout(resolve, 5));
    await use(views, log);
  } finally {
    stop.abort();
    await running;
    await log.close();
    rmSync(dir, { recursive: true });
  }
}

test('bars before those held come from the log, whole, in order and none twice', async () => {
  await withViews(300, async (views) => {
    assert.ok(views.symbol('BUSDT')!.bars.length < 200, 'memory holds all: this tests nothing');
    const from = START + 500_000;
    const bars = await views.bars('BUSDT', from, Number.POSITIVE_INFINITY);
    assert.deepEqual(
      bars.map(({ close }) => close),
      Array.from({ length: SECONDS - 500 }, (_, i) => 500 + i),
    );
    assert.ok(bars.every(({ symbol }) => symbol === 'BUSDT'));
    const slice = await views.bars('BUSDT', from, from + 3000);
    assert.deepEqual(
      slice.map(({ close }) => close),
      [500, 501, 502],
    );
    assert.deepEqual(await views.bars('BUSDT', START - 9000, START), []);
  });
});

test('history that is read after live bars stands before them, each second once', async () => {
  await withViews(100_000, async (views, log) => {
    const past = [-5, -4, 0].map((second) => {
      const { score: _, level: __, ...bar } = { ...barOf('AUSDT', second), close: 0.5 };
      return Buffer.from(JSON.stringify({ type: 'bar', ...bar }));
    });
    const { trades } = topicNames('');
    await log.append(past.map((value) => ({ topic: trades, key: 'AUSDT', value, partition: 0 })));
    const view = views.symbol('AUSDT')!;
    for (let i = 0; i < 400 && view.bars.length < SECONDS + 2; i++) await new Promise((done) => setTimeout(done, 5));
    assert.deepEqual(
      view.bars.map(({ timestamp }) => (timestamp - START) / 1000),
      [-5, -4, ...Array.from({ length: SECONDS }, (_, second) => second)],
    );
    assert.equal(view.bars[2]!.close, 0, 'a second of trades is taken for history');
    assert.equal(view.price, SECONDS - 1);
  });
});

test('of a range too large for one answer its end comes, so that the next begins where it stops', async () => {
  await withViews(300, async (_, log) => {
    const range = { topic: topicNames('').bars, partition: 0, symbol: 'AUSDT', from: START, to: START + 1_000_000 };
    const bars = await readBars(log, range, 900);
    assert.equal(bars.at(-1)?.close, 999);
    assert.ok(bars.length > 50 && bars.length < 1000);
    assert.ok(bars.every(({ close }, i) => close === bars[0]!.close + i));
  });
});

test('history from before the first trade is on the chart, without score or level', async () => {
  await withViews(300, async (views) => {
    const [bar] = await views.bars('HUSDT', undefined, Number.POSITIVE_INFINITY);
    assert.deepEqual([bar?.close, bar?.score, bar?.level], [7, 0, 0]);
  });
});
