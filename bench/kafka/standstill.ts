/**
 * How long partitions stand still when a detect process joins, leaves, is killed and comes back, or is killed and stays
 * away: the longest time between two batches scored of one partition, by when their bars were written.
 */
import type { ChildProcess } from 'node:child_process';
import { processClock } from '../../src/transport/network.ts';
import { feed, tapeOf } from '../../test/kafka/tape.ts';
import { behind, detect, end, fresh, PARTITIONS, type Stage } from './stage.ts';

const RATE = 2000;
const TRADES = 300_000;
/** Before something happens, and how long it is looked at after. */
const CALM_MS = 6000;
const WATCH_MS = 16_000;

export async function standstill(brokers: readonly string[], print: (line: string) => void): Promise<void> {
  const stage = await fresh(brokers, 'standstill');
  /** When each partition was last restored by somebody, ms since the epoch. */
  const restored = new Map<number, number>();
  const running = new Map<string, ChildProcess>();
  const start = (name: string): void => {
    const child = detect(stage, { instance: name });
    running.set(name, child);
    child.stderr!.on('data', (data: Buffer) => {
      for (const [, partition] of data.toString().matchAll(/Partition (\d+) is restored/g))
        restored.set(Number(partition), Date.now());
    });
  };
  const stop = async (name: string, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> => {
    await end(running.get(name)!, signal);
    running.delete(name);
  };
  const events: readonly (readonly [string, () => Promise<void> | void])[] = [
    ['a third joins two', () => start('slot-2')],
    ['one of three leaves in order', () => stop('slot-2')],
    ['one of two is killed and back at once', () => stop('slot-1', 'SIGKILL').then(() => start('slot-1'))],
    ['a third joins two again', () => start('slot-2')],
    ['one of three is killed and stays away (session of 6 s)', () => stop('slot-2', 'SIGKILL')],
  ];
  start('slot-0');
  start('slot-1');
  let over = false;
  const feeding = feed(stage.log, tapeOf({ seed: 4, symbols: 200, trades: TRADES }), RATE).then(() => {
    over = true;
  });
  await processClock.sleep(8000);
  for (const [what, happen] of events) {
    await processClock.sleep(CALM_MS);
    const at = Date.now();
    await happen();
    await processClock.sleep(WATCH_MS);
    if (over) throw new Error('The tape ended while something was still to be measured.');
    const gaps = await longestGaps(stage, at, at + WATCH_MS);
    const moved = [...gaps].filter(([partition]) => (restored.get(partition) ?? 0) >= at).map(([, gap]) => gap);
    const stayed = [...gaps].filter(([partition]) => (restored.get(partition) ?? 0) < at).map(([, gap]) => gap);
    print(`standstill, ${what}: ${told('that move', moved)}; ${told('that stay', stayed)}`);
  }
  const calm = await longestGaps(stage, Date.now() - 5000, Date.now());
  print(`  with nothing happening for 5 s: ${told('in all', [...calm.values()])}`);
  await feeding;
  while ((await behind(stage)) > 0) await processClock.sleep(200);
  await Promise.all([...running.values()].map((child) => end(child)));
  await stage.log.close();
}

function told(which: string, gaps: readonly number[]): string {
  if (gaps.length === 0) return `0 partitions ${which}`;
  const sorted = [...gaps].sort((a, b) => a - b);
  const [median, worst] = [sorted[Math.floor(sorted.length / 2)]!, sorted.at(-1)!];
  return `${gaps.length} partitions ${which}, median ${(median / 1000).toFixed(2)} s, worst ${(worst / 1000).toFixed(2)} s`;
}

/** By partition, the longest time between two bars' writing that ends or begins within the times given (ms). */
async function longestGaps({ log }: Stage, from: number, to: number): Promise<ReadonlyMap<number, number>> {
  const gaps = new Map<number, number>();
  for (let partition = 0; partition < PARTITIONS; partition++) {
    let last = from;
    for (let at = 0; ; ) {
      const { records, next } = await log.read('bars', partition, at);
      if (records.length === 0) break;
      for (const { timestamp } of records) {
        if (timestamp < from || timestamp > to) continue;
        gaps.set(partition, Math.max(gaps.get(partition) ?? 0, timestamp - last));
        last = timestamp;
      }
      at = next;
    }
    gaps.set(partition, Math.max(gaps.get(partition) ?? 0, to - last > 5000 ? to - last : 0));
  }
  return gaps;
}
