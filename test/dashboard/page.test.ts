/** The page as a person uses it: Chromium in front of the real server and the simulated exchange. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { after, before, test } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { noBrowser, oddMarket, openBrowser, type Stage, screenshot, screenshots, setStage } from './stage.ts';

const SPEED = 4;
const WIDE = { width: 1480, height: 860 };
const PHONE = { width: 390, height: 780 };
const skip = noBrowser;
const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

let stage: Stage;
let browser: Browser;
const faults: string[] = [];

before(async () => {
  if (skip) return;
  stage = await setStage(oddMarket(SPEED, 20), { speed: SPEED });
  browser = await openBrowser();
});

after(async () => {
  await browser?.close();
  await stage?.stop();
});

async function open(hash: string, size = WIDE, colorScheme: 'dark' | 'light' = 'dark'): Promise<Page> {
  const page = await browser.newPage({ viewport: size, colorScheme, bypassCSP: true });
  page.on('pageerror', (error) => faults.push(String(error)));
  await page.goto(`${stage.url}/${hash}`);
  return page;
}

/** Notes from now on what a screen reader would say by itself: live regions' texts as they change. */
async function listen(page: Page): Promise<() => Promise<readonly string[]>> {
  await page.evaluate(`globalThis.heard = [];
    for (const region of document.querySelectorAll('[aria-live], [role=status]')) {
      const text = () => {
        const copy = region.cloneNode(true);
        for (const unsaid of copy.querySelectorAll('[aria-hidden=true]')) unsaid.remove();
        return copy.textContent;
      };
      let before = text();
      new MutationObserver(() => {
        if (text() !== before) heard.push((before = text()));
      }).observe(region, { subtree: true, childList: true, characterData: true });
    }`);
  return () => page.evaluate<readonly string[]>('heard');
}

const firstAlert = '.feed-list li a[href*="anomaly"]';

test('prices, tape and chart move by themselves', { skip }, async () => {
  const page = await open('#/symbol/BTCUSDT');
  const texts = async (selector: string): Promise<string> => (await page.locator(selector).first().textContent()) ?? '';
  for (const selector of ['.view-head .big', '.tape ol li', '.watch-rows']) {
    await page.locator(selector).first().waitFor();
    const first = await texts(selector);
    await page.waitForFunction(
      `document.querySelector(${JSON.stringify(selector)})?.textContent !== ${JSON.stringify(first)}`,
    );
  }
  const spoken = async (): Promise<string> => {
    await page.locator('.chart').focus();
    await page.keyboard.press('End');
    await page.keyboard.press('ArrowRight');
    return texts('.chart-frame [aria-live]');
  };
  await page.waitForTimeout(500);
  const candle = await spoken();
  assert.match(candle, /^\d\d:\d\d:\d\d, close [\d.]+, volume/);
  let later = candle;
  for (let i = 0; i < 50 && later === candle; i++) {
    await page.waitForTimeout(200);
    later = await spoken();
  }
  assert.notEqual(later, candle, 'the last candle stands still');
  await page.close();
});

test('an alert leads to its evidence, and its address to the same again', { skip }, async () => {
  const page = await open('');
  await page.locator(firstAlert).first().waitFor({ timeout: 60_000 });
  await page.locator(firstAlert).first().click();
  await page.locator('.anomaly h1').waitFor();
  const title = await page.locator('.anomaly h1').textContent();
  assert.match(title!, /^[A-Z]+USDT .+/);
  await page.locator('.story li').first().waitFor();
  await page.locator('.trades-table tbody tr').first().waitFor();
  const measured = await page.locator('.comparison tbody tr').count();
  const shares = await page.locator('.share-text').allTextContents();
  assert.ok(measured > 0, 'nothing is compared');
  const sum = shares.reduce((total, text) => total + Number.parseInt(text, 10), 0);
  assert.ok(sum >= 97 && sum <= 103, `the parts of the score sum to ${sum} %`);
  await page.getByRole('button', { name: 'Recompute from the tape' }).click();
  await page.getByText('The tape gives the same record, byte for byte.').waitFor();
  await page.locator('.anomaly .actions').getByRole('button', { name: 'Acknowledge' }).click();
  await page.getByRole('button', { name: 'Acknowledged' }).waitFor();
  const again = await open(new URL(page.url()).hash);
  await again.locator('.anomaly h1').waitFor();
  assert.equal(await again.locator('.anomaly h1').textContent(), title);
  await again.getByRole('button', { name: 'Acknowledged' }).waitFor();
  await again.close();
  await page.locator('.anomaly h1 a').click();
  await page.locator('.symbol-view .chart canvas').first().waitFor();
  await page.close();
});

test('an alert is said once to those who hear the page', { skip }, async () => {
  const page = await open('#/health');
  await page.locator('.watch-rows .watch-row').first().waitFor();
  const heard = await listen(page);
  await page.waitForFunction('heard.length > 0', null, { timeout: 60_000 });
  await page.waitForTimeout(2000);
  const said = await heard();
  assert.equal(said.length, 1, said.join('; '));
  assert.match(said[0]!, /[A-Z]+USDT, .+, (notice|warning|critical)$/);
  await page.close();
});

test('alerts are filtered by an address that can be shared, set aside for all windows, and ring where wanted', {
  skip,
}, async () => {
  const page = await open('#/alerts?severity=warning');
  const rows = page.locator('.alert-table tbody tr');
  await rows.first().waitFor({ timeout: 60_000 });
  const severities = await rows.locator('.badge').allTextContents();
  assert.ok(
    severities.every((severity) => severity === 'warning' || severity === 'critical'),
    severities.join(),
  );
  await page.getByLabel('Least severity').selectOption('');
  const row = rows.last();
  const [symbol, kind] = [
    (await row.locator('td').nth(1).textContent())!,
    (await row.locator('td').nth(2).locator('a').textContent())!.slice(2),
  ];
  await page.getByLabel('Symbol', { exact: true }).fill(symbol.toLowerCase());
  await page.getByLabel('Kind').selectOption({ label: kind });
  await page.waitForURL(/symbol=/);
  assert.match(new URL(page.url()).hash, /^#\/alerts\?.*kind=[a-z_]+/);
  const again = await open(new URL(page.url()).hash);
  const same = again.locator('.alert-table tbody tr');
  await same.first().waitFor();
  for (const text of await same.allTextContents()) assert.ok(text.includes(symbol) && text.includes(kind), text);
  const before = await same.count();
  await rows
    .last()
    .getByRole('button', { name: /^Not interesting/ })
    .click();
  await again.waitForFunction(`document.querySelectorAll('.alert-table tbody tr').length === ${before - 1}`);
  await again.getByLabel('State').selectOption('dismissed');
  await same.first().waitFor();
  assert.ok((await same.first().textContent())!.includes(symbol));
  const { items } = (await (await fetch(`${stage.url}/v1/annotations`)).json()) as {
    items: { incident: string; verdict: string }[];
  };
  assert.ok(items.some(({ incident, verdict }) => incident.startsWith(symbol) && verdict === 'not_interesting'));
  await again.close();
  await page.evaluate(`globalThis.tones = 0;
    const start = OscillatorNode.prototype.start;
    OscillatorNode.prototype.start = function (at) { tones++; start.call(this, at); };`);
  await page.getByRole('button', { name: 'Sound' }).click();
  assert.equal(await page.evaluate('tones'), 1, 'switching it on does not let it be heard');
  await page.waitForFunction('tones > 1', null, { timeout: 60_000 });
  await page.close();
});

test('keys reach everything: search, list, chart, views, themes', { skip }, async () => {
  const page = await open('');
  await page.locator('.watch-rows .watch-row').first().waitFor();
  await page.keyboard.press('/');
  await page.keyboard.type('doge');
  await page.keyboard.press('Escape');
  await page.waitForFunction("document.querySelectorAll('.watch-rows .watch-row').length === 1");
  await page.locator('.watch-grid').focus();
  await page.keyboard.press('ArrowDown');
  await page.waitForURL(/#\/symbol\/DOGEUSDT$/);
  await page.locator('.symbol-view').waitFor();
  await page.keyboard.press('4');
  await page.waitForURL(/interval=60$/);
  for (const [key, hash] of [
    ['h', 'health'],
    ['a', 'alerts'],
    ['m', 'market'],
  ] as const) {
    await page.keyboard.press(key);
    await page.waitForURL(new RegExp(`#/${hash}$`));
  }
  await page.keyboard.press('t');
  await page.waitForSelector('[data-theme="light"]');
  await page.keyboard.press('?');
  await page.locator('dialog[open]').waitFor();
  await page.keyboard.press('Escape');
  await page.locator('dialog[open]').waitFor({ state: 'detached' });
  await page.close();
});

test('every view, in both themes, wide and narrow: axe finds nothing that matters', { skip }, async (t) => {
  const first = await open('');
  await first.locator(firstAlert).first().waitFor({ timeout: 60_000 });
  const anomaly = await first.locator(firstAlert).last().getAttribute('href');
  await first.close();
  const views = {
    watch: '#/',
    market: '#/market',
    symbol: '#/symbol/BTCUSDT',
    anomaly: anomaly!,
    alerts: '#/alerts',
    health: '#/health',
  };
  const found: string[] = [];
  for (const [size, viewport] of Object.entries({ wide: WIDE, phone: PHONE })) {
    for (const theme of ['dark', 'light'] as const) {
      const page = await open('', viewport, theme);
      await page.addScriptTag({ content: axeSource });
      for (const [name, hash] of Object.entries(views)) {
        await page.evaluate(`location.hash = ${JSON.stringify(hash)}`);
        await page.waitForTimeout(name === 'symbol' || name === 'anomaly' ? 1200 : 500);
        await screenshot(page, `${name}-${size}-${theme}`);
        if (name === 'anomaly') {
          await page.locator('.trades-card').scrollIntoViewIfNeeded();
          await page.locator('main').evaluate((main) => main.scrollTo(0, 1e6));
          await screenshot(page, `evidence-${size}-${theme}`);
        }
        const violations = await page.evaluate<readonly Violation[]>('axe.run().then(({ violations }) => violations)');
        for (const { id, impact, nodes } of violations) {
          const line = `${name}, ${size}, ${theme}: ${id} (${impact}) at ${nodes.map(({ target }) => target).slice(0, 3)}`;
          if (impact === 'minor') t.diagnostic(line);
          else found.push(line);
        }
      }
      await page.close();
    }
  }
  assert.deepEqual(found, []);
});

interface Violation {
  readonly id: string;
  readonly impact: string;
  readonly nodes: readonly { readonly target: string }[];
}

test('a server that dies is said to be gone, and the page goes on by itself when it is back', { skip }, async () => {
  const page = await open('#/symbol/ETHUSDT');
  await page.locator('.tape ol li').first().waitFor();
  const heard = await listen(page);
  await stage.kill();
  await page.getByText(/is gone for [3-9]/).waitFor();
  const said = (await heard()).filter((text) => text !== '');
  assert.deepEqual(said, ['The server is gone. What you see is old. Trying again by itself.']);
  await screenshots(page, 'server-gone');
  await stage.start();
  await page.locator('.banner.back').waitFor({ timeout: 30_000 });
  await page.locator('.banner.gone').waitFor({ state: 'detached' });
  await screenshots(page, 'server-back');
  const order = (): Promise<string | null> => page.locator('.tape ol li').first().textContent();
  const seen = await order();
  for (let i = 0; i < 100 && (await order()) === seen; i++) await page.waitForTimeout(100);
  assert.notEqual(await order(), seen, 'the tape stands still');
  await page.close();
});

test('a lost feed reads otherwise than a lost server', { skip }, async () => {
  const page = await open('#/health');
  await page.locator('.watch-rows .watch-row').first().waitFor();
  await stage.exchange.stop();
  await page.locator('.banner.lost').waitFor({ timeout: 30_000 });
  assert.equal(await page.locator('.banner.gone').count(), 0);
  await screenshots(page, 'feed-lost');
  await page.close();
});

test('nothing went wrong in the page meanwhile', { skip }, () => {
  assert.deepEqual(faults, []);
});
