/** The section on what detection costs: CPU a trade with every kind on and no bars asked for, and a silent second. */
import { policyOf } from '../../src/commands/policy.ts';
import type { TapeRecord } from '../../src/market/records.ts';
import { TapeDetector } from '../../src/pipeline/tape-detector.ts';
import { Market } from '../../src/simulator/market-model.ts';
import { BTC, TRX } from '../../test/real-data.ts';
import { MARKET_START, marketTape, readWhole, tradesOf } from './measures.ts';
import { line, type Section } from './section.ts';

const RUNS = 3;
const output = { anomaly: (): void => undefined, bar: (): void => undefined };

export async function costSection(withData: boolean): Promise<Section> {
  const market = new Market({ seed: 1, symbols: 50, startMs: MARKET_START });
  const untilMs = MARKET_START + 2 * 3_600_000;
  const simulated = [...marketTape(market, untilMs)].flat();
  const lines: (readonly [string, number])[] = [['simulated, 50 symbols', perTrade(simulated)]];
  if (withData) {
    lines.unshift(
      ['TRXUSDT 2025-10-10', perTrade(await readWhole(TRX))],
      ['BTCUSDC 2025-10-04', perTrade(await readWhole(BTC))],
    );
  }
  const idle = idleSecond(simulated, untilMs);
  return {
    name: 'cost',
    lines: [
      ...lines.map(([on, ns]) =>
        on.startsWith('simulated')
          ? line(on, 'CPU a trade', `${Math.round(ns)} ns`)
          : line(on, 'CPU a trade', `${Math.round(ns)} ns`, '≤ 1500 ns', ns <= 1500),
      ),
      line('50 idle symbols', 'CPU a silent second and symbol', `${Math.round(idle)} ns`, 'nothing till due'),
    ],
  };
}

/** Best of some runs, since the machine has other work; ns. */
function perTrade(records: readonly TapeRecord[]): number {
  const policy = policyOf({});
  const trades = tradesOf(records);
  let best = Number.POSITIVE_INFINITY;
  for (let run = 0; run < RUNS; run++) {
    const detector = new TapeDetector({ policy, output });
    best = Math.min(
      best,
      cpu(() => {
        for (const record of records) detector.push(record);
      }) / trades,
    );
  }
  return best;
}

/** Heartbeats after the last trade: what each costs where nothing is due, ns. */
function idleSecond(records: readonly TapeRecord[], last: number): number {
  const detector = new TapeDetector({ policy: policyOf({}), output });
  for (const record of records) detector.push(record);
  const beat = (from: number, to: number): void => {
    for (let second = from; second < to; second++)
      detector.push({ type: 'heartbeat', timestamp: last + 1000 * second });
  };
  beat(0, 7200);
  return cpu(() => beat(7200, 27_200)) / 20_000 / detector.detectors.size;
}

function cpu(work: () => void): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) * 1000;
}
