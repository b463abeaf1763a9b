/** A simulated tape, and what its backtest says line by line: the oracle of every test that serves the tape live. */
import assert from 'node:assert/strict';
import { type BacktestOptions, backtest } from '../src/backtest/backtest.ts';
import type { Policy } from '../src/detection/detector.ts';
import { openEmbeddedLog } from '../src/event-log/embedded/embedded-log.ts';
import { topicNames } from '../src/event-log/topics.ts';
import { encodeAnomaly, encodeBar } from '../src/market/codec.ts';
import type { TapeRecord, Trade, TradeText } from '../src/market/records.ts';
import { Market, type MarketOptions } from '../src/simulator/market-model.ts';

/** Lines in order by `anomalies SYMBOL` and `bars SYMBOL`. */
export type Lines = ReadonlyMap<string, readonly string[]>;

/** The first `count` trades of a market, ids without the holes that the market has of its own. */
export function marketTape(count: number, options: MarketOptions): TradeText[] {
  const market = new Market(options);
  const lastIds = new Map<string, number>();
  const trades: TradeText[] = [];
  while (trades.length < count) {
    for (const trade of market.next(Number.POSITIVE_INFINITY)) {
      const id = (lastIds.get(trade.symbol) ?? trade.id - 1) + 1;
      lastIds.set(trade.symbol, id);
      trades.push({ ...trade, id });
    }
  }
  return trades.slice(0, count);
}

export function asTrade({ timeUs, symbol, id, price, volume, side }: TradeText): Trade {
  return { timestamp: timeUs / 1000, symbol, id, price: Number(price), volume: Number(volume), side };
}

/** The lines of tapes that share no symbol. */
export async function backtestLines(tapes: readonly (readonly TapeRecord[])[], policy: Policy): Promise<Lines> {
  const lines = new Map<string, string[]>();
  async function* whole(tape: readonly TapeRecord[]): AsyncIterable<readonly TapeRecord[]> {
    yield tape;
  }
  const options: BacktestOptions = {
    tapes: tapes.map(whole),
    policy,
    onBar: (bar) => addLine(lines, `bars ${bar.symbol}`, encodeBar(bar)),
  };
  const { anomalies } = await backtest(options);
  for (const anomaly of anomalies) addLine(lines, `anomalies ${anomaly.symbol}`, encodeAnomaly(anomaly));
  return lines;
}

export function addLine(lines: Map<string, string[]>, name: string, line: string): void {
  const list = lines.get(name);
  if (list) list.push(line);
  else lines.set(name, [line]);
}

/** What detection wrote into a data folder that nobody uses now. */
export async function loggedLines(dir: string): Promise<Lines> {
  const log = await openEmbeddedLog({ dir, now: Date.now });
  const lines = new Map<string, string[]>();
  const topics = topicNames('');
  for (const [kind, topic] of [
    ['anomalies', topics.anomalies],
    ['bars', topics.bars],
  ] as const) {
    for (let partition = 0; partition < (await log.partitions(topic)); partition++) {
      for (let from = 0; ; ) {
        const { records, next } = await log.read(topic, partition, from);
        if (records.length === 0) break;
        for (const { key, value } of records) addLine(lines, `${kind} ${key}`, String(value));
        from = next;
      }
    }
  }
  await log.close();
  return lines;
}

/** Live may go on after the tape's end only with what the heartbeats there bring forward: a silence, a close, a bar. */
export function assertSameLines(actual: Lines, expected: Lines, context = ''): void {
  for (const [name, lines] of expected) {
    const got = actual.get(name) ?? [];
    const at = lines.findIndex((line, i) => line !== got[i]);
    assert.equal(got[at], lines[at], `${name}, line ${at} of ${lines.length}; ${context}`);
    assert.ok(got.length - lines.length <= 3, `${name} has ${got.length} lines instead of ${lines.length}; ${context}`);
  }
}
