/** A real server over the simulated exchange, and a real browser in front of it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Browser, chromium, type Page } from 'playwright-core';
import { openEmbeddedLog } from '../../src/event-log/embedded/embedded-log.ts';
import type { EventLog } from '../../src/event-log/event-log.ts';
import { type TopicNames, topicNames, topicSpecs } from '../../src/event-log/topics.ts';
import { Random } from '../../src/market/random.ts';
import type { TradeText } from '../../src/market/records.ts';
import { type SimulatedExchange, startExchange } from '../../src/simulator/exchange-server.ts';
import { parseFaults } from '../../src/simulator/faults.ts';
import { Market } from '../../src/simulator/market-model.ts';
import { networkHost } from '../../src/transport/network.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const SHOTS = join(ROOT, 'test-output', 'screenshots');
const BROWSERS = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];
const executablePath = BROWSERS.find(existsSync);

/** Why the browser tests can't run here, or false. */
export const noBrowser: string | false = executablePath
  ? false
  : 'no Chromium is installed (Debian: apt-get install chromium)';

export function openBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: executablePath! });
}

export async function screenshot(page: Page, name: string): Promise<void> {
  mkdirSync(SHOTS, { recursive: true });
  await page.screenshot({ path: join(SHOTS, `${name}.png`) });
}

/** The same in both themes; the page is left in the dark one. */
export async function screenshots(page: Page, name: string): Promise<void> {
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    await page.waitForSelector(`[data-theme="${colorScheme}"]`);
    await page.waitForTimeout(300);
    await screenshot(page, `${name}-${colorScheme}`);
  }
}

export interface Source {
  readonly symbols: readonly string[];
  readonly startMs: number;
  readonly before: readonly TradeText[];
  readonly next: (untilMs: number) => readonly TradeText[];
}

/** A market that has traded for over an hour, with an anomaly every few seconds from then on. */
export function oddMarket(speed: number, every_s: number): Source {
  const startMs = Date.now();
  const before_s = 4500;
  const options = { seed: 3, symbols: 10, startMs: startMs - before_s * 1000 };
  const market = new Market({ ...options, quiet_s: before_s + 2 * speed, every_s });
  const before: TradeText[] = [];
  for (let more = market.next(startMs); more.length > 0; more = market.next(startMs)) before.push(...more);
  return { symbols: market.symbols.map(({ name }) => name), startMs, before, next: (untilMs) => market.next(untilMs) };
}

/** `count` symbols that trade `rate` times a second in all, evenly. */
export function busyMarket(count: number, rate: number): Source {
  const startMs = Date.now();
  const random = new Random(11);
  const symbols = Array.from({ length: count }, (_, i) => `BUSY${String(i).padStart(3, '0')}USDT`);
  const ticks = symbols.map((_, i) => 10_000 + 7 * i);
  let n = 0;
  const next = (untilMs: number): TradeText[] => {
    const trades: TradeText[] = [];
    const due = Math.floor(((untilMs - startMs) * rate) / 1000);
    for (; n < due && trades.length < 4096; n++) {
      const at = n % count;
      ticks[at] = Math.max(5000, ticks[at]! + random.below(5) - 2);
      trades.push({
        timeUs: startMs * 1000 + Math.floor((n * 1e6) / rate),
        symbol: symbols[at]!,
        id: 1 + Math.floor(n / count),
        price: `${(ticks[at]! / 100).toFixed(2)}000000`,
        volume: `${1 + random.below(900)}.00000000`,
        side: random.next() < 0.5 ? 'buy' : 'sell',
      });
    }
    return trades;
  };
  return { symbols, startMs, before: [], next };
}

/** `count` symbols that have traded calmly for over an hour, and `calm_s` from now on all fall together. */
export function fallingMarket(count: number, calm_s: number): Source {
  const startMs = Date.now();
  const random = new Random(17);
  const symbols = Array.from({ length: count }, (_, i) => `FALL${String(i).padStart(2, '0')}USDT`);
  const before_s = 4500;
  const falls = { from: before_s + calm_s, to: before_s + calm_s + 8 };
  const ticks = symbols.map(() => 100_000);
  const ids = symbols.map(() => 0);
  let second = 0;
  const next = (untilMs: number): TradeText[] => {
    const trades: TradeText[] = [];
    const due = Math.floor((untilMs - startMs) / 1000) + before_s;
    for (; second < due && trades.length < 4096; second++) {
      const isFalling = second >= falls.from && second < falls.to;
      symbols.forEach((symbol, i) => {
        const fills = isFalling ? 10 : 1 + random.below(2);
        for (let n = 0; n < fills; n++) {
          ticks[i]! += isFalling ? -30 - random.below(20) : random.below(21) - 10;
          trades.push({
            timeUs: (startMs + (second - before_s) * 1000 + i * 20 + n * 2) * 1000,
            symbol,
            id: ++ids[i]!,
            price: (ticks[i]! / 1000).toFixed(3),
            volume: `${(isFalling ? 40 : 1) + random.below(9)}.00000000`,
            side: isFalling || random.next() < 0.5 ? 'sell' : 'buy',
          });
        }
      });
    }
    return trades;
  };
  const before: TradeText[] = [];
  for (let more = next(startMs); more.length > 0; more = next(startMs)) before.push(...more);
  return { symbols, startMs, before, next };
}

export interface Stage {
  readonly url: string;
  readonly exchange: SimulatedExchange;
  /** Kills the server outright. */
  kill(): Promise<void>;
  /** Starts it again, on the same port and data. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

export interface StageOptions {
  /** Simulated seconds a second. */
  readonly speed: number;
  /** Faults of the exchange, as `simulate --fault` takes them. */
  readonly faults?: string;
  /** Writes to the log before the server opens it. */
  readonly prepare?: (log: EventLog, topics: TopicNames) => Promise<void>;
}

export async function setStage(source: Source, { speed, faults = '', prepare }: StageOptions): Promise<Stage> {
  const data = mkdtempSync(join(tmpdir(), 'tapewatch-browser-'));
  if (prepare) {
    const log = await openEmbeddedLog({ dir: data, now: Date.now });
    await log.ensureTopics(topicSpecs({ prefix: '', partitions: 4, retentionMs: null }));
    await prepare(log, topicNames(''));
    await log.close();
  }
  const { symbols, startMs, before, next } = source;
  const exchange = await startExchange({
    host: networkHost,
    port: 0,
    symbols,
    startMs,
    speed,
    faults: parseFaults(faults),
    before,
    source: next,
  });
  const options = [
    ...['--ws-url', exchange.wsUrl, '--rest-url', exchange.httpUrl, '--symbols', symbols.join(','), '--data', data],
    ...['--budget', '24', '--history', before.length > 0 ? '4000' : '0'],
  ];
  let server: ChildProcess;
  let url = '';
  const start = async (): Promise<void> => {
    const port = url === '' ? '0' : new URL(url).port;
    server = spawn(process.execPath, [join(ROOT, 'bin/tapewatch.js'), 'start', '--port', port, ...options], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    url = await addressOf(server);
  };
  const kill = async (): Promise<void> => {
    if (server.exitCode !== null || server.signalCode !== null) return;
    server.kill('SIGKILL');
    await once(server, 'exit');
  };
  await start();
  const stop = async (): Promise<void> => {
    await kill();
    await exchange.stop();
    rmSync(data, { recursive: true, force: true });
  };
  return { url, exchange, kill, start, stop };
}

/** What the server says where it can be reached; its other words go to the test's output. */
async function addressOf(server: ChildProcess): Promise<string> {
  let said = '';
  const address = Promise.withResolvers<string>();
  server.stderr!.setEncoding('utf8').on('data', (text: string) => {
    said += text;
    const found = /Watching .* (http:\/\/[^\s;]+);/.exec(said)?.[1];
    if (found) address.resolve(found);
  });
  server.once('exit', (code, signal) => {
    const words = `The server ended (${code ?? signal}): ${said}`;
    if (signal !== 'SIGKILL') process.stderr.write(`${words}\n`);
    address.reject(new Error(words));
  });
  address.promise.catch(() => undefined);
  return address.promise;
}
