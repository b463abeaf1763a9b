/**
 * Five hundred symbols at five thousand trades a second, and a chart with thousands of anomalies: what the page's main
 * thread has to do. Figures are reported.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EventLog, NewRecord } from '../../src/event-log/event-log.ts';
import type { TopicNames } from '../../src/event-log/topics.ts';
import { encodeAnomaly, encodeBar } from '../../src/market/codec.ts';
import { specimen } from '../contract/notifier.ts';
import { busyMarket, noBrowser, openBrowser, screenshot, setStage } from './stage.ts';

const SYMBOLS = 500;
const TRADES_A_SECOND = 5000;
const SHOWN = 'BUSY007USDT';
const MARKERS = 5000;
const WARM_UP_MS = 8000;
const MEASURED_MS = 15_000;

/** An hour of the watched symbol with thousands of anomalies on its candles: what a chart must not grow slow by. */
async function withMarkers(log: EventLog, topics: TopicNames): Promise<void> {
  const end = Math.floor(Date.now() / 1000) * 1000 - 10_000;
  const bar = { open: 100, high: 101, low: 99, volume: 5, quoteVolume: 500, trades: 5, takerBuyVolume: 2, level: 5 };
  const records: NewRecord[] = [];
  for (let second = 3600; second > 0; second--) {
    const timestamp = end - second * 1000;
    const value = encodeBar({ symbol: SHOWN, timestamp, ...bar, close: 100 + Math.sin(second / 60), score: 4 });
    records.push({ topic: topics.bars, key: SHOWN, value: Buffer.from(value) });
  }
  for (let n = 0; n < MARKERS; n++) {
    const timestamp = end - ((MARKERS - n) * 3_600_000) / MARKERS;
    const anomaly = {
      ...specimen,
      id: `${SHOWN}:market:${n}:0`,
      symbol: SHOWN,
      timestamp,
      severity: 'notice' as const,
    };
    records.push({ topic: topics.anomalies, key: SHOWN, value: Buffer.from(encodeAnomaly(anomaly)), partition: 0 });
  }
  await log.append(records);
}

test('500 symbols at 5,000 trades a second, 5,000 anomalies on the chart', { skip: noBrowser }, async (t) => {
  const stage = await setStage(busyMarket(SYMBOLS, TRADES_A_SECOND), { speed: 1, prepare: withMarkers });
  const browser = await openBrowser();
  try {
    const page = await browser.newPage({ viewport: { width: 1480, height: 860 } });
    const client = await page.context().newCDPSession(page);
    await client.send('Performance.enable');
    await page.goto(`${stage.url}/#/symbol/${SHOWN}`);
    await page.locator('.tape ol li').first().waitFor();
    await page.waitForTimeout(WARM_UP_MS);
    await page.evaluate(`globalThis.long = []; new PerformanceObserver((list) => {
      for (const { duration } of list.getEntries()) long.push(duration);
    }).observe({ type: 'longtask' });`);
    const metrics = async (): Promise<ReadonlyMap<string, number>> => {
      const { metrics: all } = await client.send('Performance.getMetrics');
      return new Map(all.map(({ name, value }) => [name, value]));
    };
    const spent = async (): Promise<number> => (await metrics()).get('TaskDuration')!;
    const health = async (): Promise<number> =>
      ((await (await fetch(`${stage.url}/v1/health`)).json()) as { feed: { trades: number } }).feed.trades;
    const tradesBefore = await health();
    const [began, before] = [performance.now(), await spent()];
    const texts = new Set<string>();
    for (let i = 0; i < 10; i++) {
      await page.waitForTimeout(MEASURED_MS / 10);
      texts.add((await page.locator('.watch-rows').textContent())!);
    }
    const seconds = (performance.now() - began) / 1000;
    const busy = ((await spent()) - before) / seconds;
    const trades = ((await health()) - tradesBefore) / seconds;
    const tasks = await page.evaluate<readonly number[]>('globalThis.long');
    await screenshot(page, 'five-hundred-symbols');
    const heap = (await metrics()).get('JSHeapUsedSize')! / 1e6;
    const rows = await page.locator('.watch-rows .watch-row').count();
    t.diagnostic(
      `${Math.round(trades)} trades/s; main thread ${(busy * 100).toFixed(1)} % busy; ${tasks.length} tasks over 50 ms, the longest ${Math.round(Math.max(0, ...tasks))} ms; heap ${heap.toFixed(1)} MB; ${rows} rows exist`,
    );
    assert.equal(await page.locator('.watch-head .muted').textContent(), String(SYMBOLS));
    assert.ok(rows < 60, 'the list makes rows that nobody sees');
    assert.ok(texts.size > 5, 'the watch list stands still under load');
  } finally {
    await browser.close();
    await stage.stop();
  }
});
