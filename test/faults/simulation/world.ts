/** The whole system in one process on virtual time: an exchange, captures and detectors that die and stand still. */
import { startCapture } from '../../../src/capture/capture.ts';
import type { Policy } from '../../../src/detection/detector.ts';
import { topicNames, topicSpecs } from '../../../src/event-log/topics.ts';
import { decodeTapeRecord } from '../../../src/market/codec.ts';
import { Random } from '../../../src/market/random.ts';
import type { TapeRecord, TradeText } from '../../../src/market/records.ts';
import { ModelRegistry } from '../../../src/model/registry.ts';
import { DetectionService } from '../../../src/pipeline/detection-service.ts';
import { startExchange } from '../../../src/simulator/exchange-server.ts';
import type { Fault, FaultName } from '../../../src/simulator/faults.ts';
import { VirtualNetwork, type VirtualProcess } from '../../../src/transport/virtual.ts';
import { addLine, type Lines } from '../../tape-lines.ts';
import { MemoryLog } from './memory-log.ts';

export interface WorldOptions {
  readonly seed: number;
  readonly trades: readonly TradeText[];
  readonly policy: Policy;
  readonly partitions: number;
  readonly faults: readonly Fault[];
}

/** What happened, for who reads a failure. */
export interface Told {
  readonly gaps: { readonly symbol: string; readonly trades: number; readonly outcome: string }[];
  readonly late: string[];
  readonly lives: string[];
}

const START_MS = Date.UTC(2026, 0, 6);
const SPEED = 30;
const SESSION_MS = 3000;
/** Looks, 5 s apart, that find nothing new: longer than anybody stands still, or waits for REST. */
const STILL = 16;
/** The second of each role joins when every symbol has a trade on the tape: before, a successor has nothing to go on from. */
const SECOND_AFTER_MS = 8000;
/** Long enough that something is on the tape: who dies before leaves nothing to go on from. */
const UNTIL_DEATH_MS = [10_000, 60_000] as const;

export class World {
  readonly network: VirtualNetwork;
  readonly log = new MemoryLog();
  readonly topics = topicNames('');
  readonly told: Told = { gaps: [], late: [], lives: [] };
  readonly #options: WorldOptions;
  readonly #random: Random;
  readonly #symbols: readonly string[];
  #published: () => number = () => 0;
  #ending = false;

  constructor(options: WorldOptions) {
    const { seed, partitions, trades } = options;
    this.#options = options;
    this.network = new VirtualNetwork({ seed, startMs: START_MS, latencyMs: [1, 30], failShare: 0.01 });
    this.#random = new Random(seed + 1);
    this.#symbols = [...new Set(trades.map(({ symbol }) => symbol))];
    this.log.ensure(topicSpecs({ prefix: '', partitions, retentionMs: null }));
  }

  /** Runs until every trade is on the tape and detected. */
  async run(): Promise<void> {
    const { trades, faults } = this.#options;
    const { network } = this;
    const host = network.process();
    let at = 0;
    const exchange = await network.drive(
      startExchange({
        host,
        port: 0,
        symbols: this.#symbols,
        startMs: trades[0]!.timeUs / 1000,
        speed: SPEED,
        faults,
        source: (untilMs) => {
          if (at === trades.length) return null;
          const from = at;
          while (at < trades.length && trades[at]!.timeUs <= untilMs * 1000) at++;
          return trades.slice(from, at);
        },
      }),
    );
    this.#published = () => exchange.published();
    const begin = (): void => {
      this.#live('capture', (process) => this.#capture(process, exchange.wsUrl, exchange.httpUrl));
      this.#live('detect', (process) => this.#detect(process));
    };
    begin();
    host.setTimer(SECOND_AFTER_MS, begin);
    await network.drive(this.#finished(host));
  }

  /** One life after another: each ends by a kill, or by a standstill so long that the group gives it up. */
  #live(role: string, start: (process: VirtualProcess) => Promise<void>): void {
    const { network } = this;
    const process = network.process();
    const clock = network.process();
    void start(process).catch((error: unknown) => {
      this.told.lives.push(`${role} failed: ${error instanceof Error ? error.message : error}`);
      process.kill();
      void this.log.expel(process);
      this.#live(role, start);
    });
    const [least, most] = UNTIL_DEATH_MS;
    clock.setTimer(least + (most - least) * this.#random.next(), () => {
      if (this.#ending || !process.isAlive) return;
      const stopped = this.#random.next() < 0.4;
      this.told.lives.push(`${role} ${stopped ? 'stands still' : 'is killed'} after ${this.#published()} trades`);
      if (stopped) process.pause();
      else process.kill();
      clock.setTimer(SESSION_MS, () => void this.log.expel(process));
      clock.setTimer(SESSION_MS * (1 + this.#random.next()), () => this.#live(role, start));
      if (stopped) clock.setTimer(SESSION_MS * (0.5 + 3 * this.#random.next()), () => process.resume());
      if (stopped) clock.setTimer(SESSION_MS * 6, () => process.kill());
    });
  }

  async #capture(process: VirtualProcess, wsUrl: string, restUrl: string): Promise<void> {
    const { gaps, late } = this.told;
    const capture = await startCapture({
      transport: process,
      log: this.log.client(process),
      symbols: this.#symbols,
      wsEndpoints: [wsUrl],
      restEndpoints: [restUrl],
      tradesTopic: this.topics.trades,
      deadLetters: this.topics.deadLetters,
      history_s: 0,
      repairLimit: 1_000_000,
      events: {
        gap: (symbol, trades, outcome) => gaps.push({ symbol, trades, outcome }),
        late: (symbol) => late.push(symbol),
      },
    });
    await capture.running;
  }

  async #detect(process: VirtualProcess): Promise<void> {
    const { topics } = this;
    const { policy } = this.#options;
    const log = this.log.client(process);
    const service = new DetectionService({
      log,
      topics,
      group: 'detect',
      policy,
      policies: new ModelRegistry(log, topics.models),
      now: () => process.now(),
      events: {},
    });
    await service.run(new AbortController().signal);
  }

  /** Resolves when nothing new has come onto the tape for a while, and detection has come to its end. */
  async #finished(host: VirtualProcess): Promise<void> {
    const { trades, partitions } = this.#options;
    while (this.#published() < trades.length) await host.sleep(1000);
    this.#ending = true;
    let before = '';
    for (let waited = 0, still = 0; waited < 200; waited++) {
      await host.sleep(5000);
      const ends = Array.from(
        { length: partitions },
        (_, p) => this.log.topic(this.topics.trades).partitions[p]!.length,
      );
      const committed = ends.map((_, p) => this.log.committed('detect', this.topics.trades, p) ?? 0);
      const now = ends.join();
      still = now === before && now === committed.join() ? still + 1 : 0;
      before = now;
      if (still === STILL) return;
    }
    throw new Error(`The tape does not come to its end: ${JSON.stringify(this.told.lives)}`);
  }

  /** Each symbol's trades as a reader sees them: one at or below the last id is passed over. */
  tape(): Map<string, { readonly id: number; readonly line: string }[]> {
    const bySymbol = new Map<string, { readonly id: number; readonly line: string }[]>();
    for (const partition of this.log.topic(this.topics.trades).partitions) {
      for (const { key, value } of partition) {
        const line = new TextDecoder().decode(value!);
        if (key === null || line.startsWith('{"type"')) continue;
        const trades = bySymbol.get(key) ?? [];
        bySymbol.set(key, trades);
        const { id } = JSON.parse(line) as { id: number };
        if (id > (trades.at(-1)?.id ?? -1)) trades.push({ id, line });
      }
    }
    return bySymbol;
  }

  /** What the log recorded, a tape a partition. */
  recorded(): TapeRecord[][] {
    return this.log
      .topic(this.topics.trades)
      .partitions.map((records) => records.map(({ value }) => decodeTapeRecord(value!)));
  }

  /** What detection wrote. */
  lines(): Lines {
    const lines = new Map<string, string[]>();
    for (const [kind, topic] of [
      ['anomalies', this.topics.anomalies],
      ['bars', this.topics.bars],
    ] as const) {
      for (const { key, value } of this.log.topic(topic).partitions.flat())
        addLine(lines, `${kind} ${key}`, new TextDecoder().decode(value!));
    }
    return lines;
  }

  /** Gaps that stand on the tape. */
  lost(): Told['gaps'] {
    return this.told.gaps.filter(({ outcome }) => outcome === 'lost');
  }
}

type Kinds = readonly (readonly [FaultName, number])[];

/** Each with its largest amount. */
const REPAIRED: Kinds = [
  ['cut', 1],
  ['hole', 2000],
  ['duplicate', 5],
  ['reorder', 1],
  ['stall', 900],
  ['shutdown', 900],
  ['malformed', 1],
];
const LASTING: Kinds = [
  ['lost', 500],
  ['halt', 900],
];

/** Faults that REST can repair, at random moments of the tape. */
export function repairableFaults(seed: number, span_s: number): Fault[] {
  const random = new Random(seed + 2);
  // One refusal of each kind: several in a row would last longer than trades are held back.
  const refusals = [draw([['429', 400]], random, span_s), draw([['418', 900]], random, span_s)];
  return inOrder([...refusals, ...Array.from({ length: 12 }, () => draw(REPAIRED, random, span_s))]);
}

/** Faults that leave their mark on the tape, among some that do not. */
export function lastingFaults(seed: number, span_s: number): Fault[] {
  const random = new Random(seed + 3);
  const lost = draw([['lost', 500]], random, span_s);
  return inOrder([lost, ...Array.from({ length: 9 }, () => draw([...LASTING, ...REPAIRED], random, span_s))]);
}

function draw(kinds: Kinds, random: Random, span_s: number): Fault {
  const [name, most] = kinds[random.below(kinds.length)]!;
  return { name, at_s: 20 + (span_s - 40) * random.next(), amount: 1 + random.below(most) };
}

function inOrder(faults: readonly Fault[]): Fault[] {
  return [...faults].sort((a, b) => a.at_s - b.at_s);
}
