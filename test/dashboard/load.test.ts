/** Five hundred symbols at five thousand trades a second: what the page's main thread has to do. Figures are reported. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { busyMarket, noBrowser, openBrowser, screenshot, setStage } from './stage.ts';

const SYMBOLS = 500;
const TRADES_A_SECOND = 5000;
const WARM_UP_MS = 8000;
const MEASURED_MS = 15_000;

test('500 symbols at 5,000 trades a second', { skip: noBrowser }, async (t) => {
  const stage = await setStage(busyMarket(SYMBOLS, TRADES_A_SECOND), 1);
  const browser = await openBrowser();
  try {
    const page = await browser.newPage({ viewport: { width: 1480, height: 860 } });
    const client = await page.context().newCDPSession(page);
    await client.send('Performance.enable');
    await page.goto(`${stage.url}/#/symbol/BUSY007USDT`);
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
