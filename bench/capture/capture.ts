/**
 * Trades a CPU second from the socket to the log: frames as the exchange sends them, over a WebSocket from another process,
 * through capture into the embedded log on this disk. Prints the trades a CPU second of the whole process, disk writes
 * included, and the cost of reading a frame alone beside JSON.parse. `npm run bench:capture [trades]`.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { startCapture } from '../../src/capture/capture.ts';
import { openEmbeddedLog } from '../../src/event-log/embedded/embedded-log.ts';
import { topicNames, topicSpecs } from '../../src/event-log/topics.ts';
import { parseFrame, parseFrameByJson } from '../../src/exchange/binance/frames.ts';
import { createNetworkTransport } from '../../src/transport/network.ts';
import { frameOf, SYMBOLS } from './frames.ts';

const TRADES = Number(process.argv[2] ?? 400_000);

const server = spawn(process.execPath, [fileURLToPath(new URL('./server.ts', import.meta.url)), String(TRADES)], {
  stdio: ['ignore', 'pipe', 'inherit'],
});
const [port] = (await once(createInterface({ input: server.stdout }), 'line')) as [string];
const dir = mkdtempSync(join(tmpdir(), 'tapewatch-bench-'));
const log = await openEmbeddedLog({ dir, now: Date.now });
const topics = topicNames('');
await log.ensureTopics(topicSpecs({ prefix: '', partitions: 4, retentionMs: null }));
const transport = createNetworkTransport();

const cpu = process.cpuUsage();
const began = performance.now();
const capture = await startCapture({
  transport,
  log,
  symbols: SYMBOLS,
  wsEndpoints: [`ws://127.0.0.1:${port}`],
  restEndpoints: ['http://127.0.0.1:9'],
  tradesTopic: topics.trades,
  deadLetters: topics.deadLetters,
  history_s: 0,
  repairLimit: 0,
  events: {},
});
const written = async (): Promise<number> => {
  let count = 0;
  for (let p = 0; p < 4; p++) count += (await log.bounds(topics.trades, p)).end;
  return count;
};
while ((await written()) < TRADES) await transport.sleep(20);
const { user, system } = process.cpuUsage(cpu);
const cpu_s = (user + system) / 1e6;
const wall_s = (performance.now() - began) / 1000;
await capture.stop();
await transport.close();
await log.close();
rmSync(dir, { recursive: true });
server.kill();

console.log(`${cpus()[0]?.model}, Node ${process.version}, ${new Date().toISOString().slice(0, 10)}`);
console.log(`socket to log: ${Math.round(TRADES / cpu_s)} trades a CPU second (${TRADES} in ${wall_s.toFixed(1)} s)`);
const frames = Array.from({ length: 3000 }, (_, i) => Buffer.from(frameOf(i)));
for (const [name, parse] of [
  ['scanner', parseFrame],
  ['JSON.parse', parseFrameByJson],
  ['scanner', parseFrame],
  ['JSON.parse', parseFrameByJson],
] as const) {
  const before = process.cpuUsage();
  for (let i = 0; i < 1_000_000; i++) parse(frames[i % frames.length]!);
  const spent = process.cpuUsage(before);
  console.log(`one frame by ${name}: ${Math.round((spent.user + spent.system) / 1000)} ns`);
}
