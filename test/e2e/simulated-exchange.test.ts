/** From the simulated exchange's sockets through capture, log and detector: the bytes that a backtest of the tape gives. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { recompute } from '../../src/backtest/recompute.ts';
import { startCapture } from '../../src/capture/capture.ts';
import { replayOf, type TradesFrom } from '../../src/commands/evidence.ts';
import { fromExchange, fromTape } from '../../src/commands/trades-from.ts';
import { openEmbeddedLog } from '../../src/event-log/embedded/embedded-log.ts';
import type { EventLog } from '../../src/event-log/event-log.ts';
import { topicNames, topicSpecs } from '../../src/event-log/topics.ts';
import { BinanceRest } from '../../src/exchange/binance/rest.ts';
import { encodeAnomaly } from '../../src/market/codec.ts';
import { incidentOf, type TradeText } from '../../src/market/records.ts';
import { DEFAULT_MODEL, loadArtefact, settingsId } from '../../src/model/artefact-file.ts';
import { ModelRegistry } from '../../src/model/registry.ts';
import { DetectionService } from '../../src/pipeline/detection-service.ts';
import { startExchange } from '../../src/simulator/exchange-server.ts';
import { parseFaults } from '../../src/simulator/faults.ts';
import { createNetworkTransport, networkHost } from '../../src/transport/network.ts';
import { addLine, assertSameLines, asTrade, backtestLines, marketTape } from '../tape-lines.ts';

const settings = { budget: 24, close_after_s: 600, rules: [] };
const policy = { artefact: loadArtefact(DEFAULT_MODEL), settings, settingsId: settingsId(settings) };
const START = Date.UTC(2026, 0, 5);
const TRADES = 90_000;

const tape = (): TradeText[] => marketTape(TRADES, { seed: 5, symbols: 3, startMs: START, quiet_s: 3650, every_s: 60 });

/** `look` sees the log and the exchange's REST when all is scored. */
async function live(
  trades: readonly TradeText[],
  faults: string,
  restarts: number,
  look: (log: EventLog, rest: BinanceRest) => Promise<void> = () => Promise.resolve(),
): Promise<Map<string, string[]>> {
  const dir = mkdtempSync(join(tmpdir(), 'tapewatch-e2e-'));
  let at = 0;
  const exchange = await startExchange({
    host: networkHost,
    port: 0,
    symbols: [...new Set(trades.map(({ symbol }) => symbol))],
    startMs: START,
    speed: 2000,
    faults: parseFaults(faults),
    source: (untilMs) => {
      // Null, so that simulated time ends with the tape: else hours of silence would follow, and be told.
      if (at === trades.length) return null;
      const from = at;
      while (at < trades.length && trades[at]!.timeUs <= untilMs * 1000) at++;
      return trades.slice(from, at);
    },
  });
  const topics = topicNames('');
  const lines = new Map<string, string[]>();
  for (let run = 0; run <= restarts; run++) {
    const log = await openEmbeddedLog({ dir, now: Date.now });
    await log.ensureTopics(topicSpecs({ prefix: '', partitions: 2, retentionMs: null }));
    const transport = createNetworkTransport();
    const capture = await startCapture({
      transport,
      log,
      symbols: [...new Set(trades.map(({ symbol }) => symbol))],
      wsEndpoints: [exchange.wsUrl],
      restEndpoints: [exchange.httpUrl],
      tradesTopic: topics.trades,
      deadLetters: topics.deadLetters,
      history_s: 0,
      repairLimit: 100_000,
      events: {},
    });
    const stop = new AbortController();
    const policies = new ModelRegistry(log, topics.models);
    const service = new DetectionService({ log, topics, group: 'detect', policy, policies, now: Date.now, events: {} });
    const running = service.run(stop.signal);
    const target = run < restarts ? (TRADES * (run + 1)) / (restarts + 1) : TRADES;
    while (exchange.published() < target) await transport.sleep(20);
    if (run === restarts) await settled(log, topics.trades, trades);
    await capture.stop();
    if (run === restarts) while (!(await caughtUp(log, topics.trades))) await transport.sleep(20);
    stop.abort();
    await running;
    if (run === restarts) await look(log, new BinanceRest(transport, [exchange.httpUrl]));
    await transport.close();
    if (run === restarts) {
      for (const [topic, kind, partitions] of [
        [topics.anomalies, 'anomalies', 1],
        [topics.bars, 'bars', 2],
      ] as const) {
        for (let p = 0; p < partitions; p++) await collect(log, topic, p, kind, lines);
      }
    }
    await log.close();
  }
  await exchange.stop();
  rmSync(dir, { recursive: true });
  return lines;
}

type Log = Awaited<ReturnType<typeof openEmbeddedLog>>;

/** Resolves when the last trade of every symbol is in the log. */
async function settled(log: Log, topic: string, trades: readonly TradeText[]): Promise<void> {
  const last = new Map(trades.map(({ symbol, id }) => [symbol, id]));
  const at = [0, 0];
  for (let waited = 0; last.size > 0 && waited < 600; waited++) {
    for (const p of [0, 1]) {
      const { records, next } = await log.read(topic, p, at[p]!, { waitMs: 25 });
      at[p] = next;
      for (const { key, value } of records) {
        const { id } = JSON.parse(String(value)) as { id?: number };
        if (key !== null && id === last.get(key)) last.delete(key);
      }
    }
  }
  assert.equal(last.size, 0, `no last trade of ${[...last.keys()]}`);
}

async function caughtUp(log: Log, topic: string): Promise<boolean> {
  for (const p of [0, 1])
    if ((await log.committed('detect', topic, p)) !== (await log.bounds(topic, p)).end) return false;
  return true;
}

async function collect(
  log: Log,
  topic: string,
  partition: number,
  kind: string,
  lines: Map<string, string[]>,
): Promise<void> {
  for (let from = 0; ; ) {
    const { records, next } = await log.read(topic, partition, from);
    if (records.length === 0) return;
    for (const { key, value } of records) addLine(lines, `${kind} ${key}`, String(value));
    from = next;
  }
}

test('served live, the tape gives the bytes of its backtest', async () => {
  const trades = tape();
  const expected = await backtestLines([trades.map(asTrade)], policy);
  assert.ok([...expected.keys()].some((name) => name.startsWith('anomalies')));
  assertSameLines(await live(trades, '', 0), expected);
});

test('so it does through every fault that REST can repair, and three restarts', async () => {
  const trades = tape();
  const faults =
    'hole@300:7,duplicate@500:3,reorder@700:2,cut@1000,malformed@1200,shutdown@1500,429@1700:300,hole@1750:9,hole@4000:40,cut@4200,418@4300:200';
  const expected = await backtestLines([trades.map(asTrade)], policy);
  assertSameLines(await live(trades, faults, 3, (log, rest) => assertExplained(log, rest, trades)), expected);
});

/** Each incident comes out of its evidence with trades from the exchange, and from a tape, as it stands in the log. */
async function assertExplained(log: EventLog, rest: BinanceRest, trades: readonly TradeText[]): Promise<void> {
  const recorded = new Map<string, string[]>();
  const { records } = await log.read(topicNames('').anomalies, 0, 0);
  for (const { value } of records) addLine(recorded, incidentOf(JSON.parse(String(value)).id), String(value));
  assert.ok(recorded.size > 0);
  const { signal } = new AbortController();
  const sources: Record<string, TradesFrom> = {
    exchange: (symbol, lastTradeId) => fromExchange(rest, symbol, lastTradeId, signal),
    tape: (symbol, lastTradeId) => fromTape(Readable.from([trades.map(asTrade)]), symbol, lastTradeId),
  };
  for (const [incident, lines] of recorded)
    for (const [name, trades] of Object.entries(sources)) {
      const replay = (await replayOf(log, incident, policy, trades))!;
      const told = (await recompute(replay.tape(), replay.start, `${incident}:0`)).story.map(encodeAnomaly);
      // What only heartbeats told, at the end of the tape, waits here for a trade.
      assert.deepEqual(told, lines.slice(0, Math.max(1, told.length)), `${incident}, trades from the ${name}`);
    }
}
