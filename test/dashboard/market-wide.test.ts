/** When the whole market turns odd the page must say so as one thing, and not only as many. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fallingMarket, noBrowser, openBrowser, screenshots, setStage } from './stage.ts';

const SYMBOLS = 40;

test('many symbols that fall together light up the strip and stand as one move of the market', {
  skip: noBrowser,
}, async () => {
  const stage = await setStage(fallingMarket(SYMBOLS, 25), { speed: 1 });
  const browser = await openBrowser();
  try {
    const page = await browser.newPage({ viewport: { width: 1480, height: 860 } });
    await page.goto(`${stage.url}/#/market`);
    await page.locator('.heat-names a').first().waitFor();
    // A few may have been odd the same way before.
    const fall = page.locator('.wide-list li', { hasText: '▼ down' }).first();
    await fall.waitFor({ timeout: 90_000 });
    await page.locator('.strip rect.many').first().waitFor();
    // Symbol after symbol joins it.
    await page.waitForTimeout(8000);
    const move = (await fall.textContent())!;
    const [, symbols] = /(\d+) symbols/.exec(move)!;
    assert.ok(Number(symbols) > SYMBOLS / 2 && Number(symbols) <= SYMBOLS, move);
    await screenshots(page, 'market-wide-move');
    await fall.locator('a').click();
    await page.locator('.anomaly h1').waitFor();
  } finally {
    await browser.close();
    await stage.stop();
  }
});
