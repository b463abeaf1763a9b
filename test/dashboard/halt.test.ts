/** A halt of the exchange must not read as a lost feed: one is a fact of the market, the other of our line to it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { busyMarket, noBrowser, openBrowser, screenshots, setStage } from './stage.ts';

test('a halted exchange reads otherwise than a lost feed, and its end is shown', { skip: noBrowser }, async () => {
  const stage = await setStage(busyMarket(3, 30), { speed: 1, faults: 'halt@6:15' });
  const browser = await openBrowser();
  try {
    const page = await browser.newPage({ viewport: { width: 1480, height: 860 } });
    await page.goto(`${stage.url}/#/symbol/BUSY001USDT`);
    await page.locator('.banner.halted').waitFor({ timeout: 60_000 });
    assert.equal(await page.locator('.banner.lost, .banner.gone').count(), 0);
    await page.locator('.watch-rows .tag', { hasText: 'halted' }).first().waitFor();
    await screenshots(page, 'exchange-halted');
    const late = await browser.newPage();
    await late.goto(stage.url);
    await late.locator('.banner.halted').waitFor({ timeout: 10_000 });
    await page.locator('.banner.halted').waitFor({ state: 'detached', timeout: 90_000 });
  } finally {
    await browser.close();
    await stage.stop();
  }
});
