/** A tape for property tests: some hours of bursts, drifts and silences on several symbols, with gaps and a halt. */
import { Random } from '../../src/market/random.ts';
import type { TapeRecord } from '../../src/market/records.ts';

const START = 1_760_000_000_000;
export const SYMBOLS = ['BTCUSDT', 'ETHUSDT', 'DOGEUSDT', 'XRPUSDT'];

export function randomTape(seed: number): TapeRecord[] {
  const random = new Random(seed);
  const tape: TapeRecord[] = [];
  for (const [s, symbol] of SYMBOLS.entries()) {
    let at = START + s;
    let price = 10_000;
    for (let id = 1; id <= 2500; id++) {
      const burst = random.next() < 0.02 || (id > 1200 && id < 1300);
      at += burst ? random.next() * 50 : -Math.log(1 - random.next()) * (random.next() < 0.003 ? 900_000 : 9000);
      const timestamp = Math.round(at * 1000) / 1000;
      price = Math.max(10, price + Math.round((random.next() - 0.49) * (burst ? 40 : 4)));
      if (id % 997 === 0) {
        tape.push({ type: 'gap', symbol, timestamp, first: id, last: id, reason: 'hole', since: timestamp });
        continue;
      }
      if (id === 2000) tape.push({ type: 'status', symbol, timestamp, status: 'halted' });
      if (id === 2001) tape.push({ type: 'status', symbol, timestamp, status: 'resumed' });
      tape.push({
        timestamp,
        symbol,
        id,
        price: price / 100,
        volume: Math.ceil(random.next() * 100) / 10,
        side: random.next() < 0.5 ? 'buy' : 'sell',
      });
    }
  }
  return tape.sort((a, b) => timeOf(a) - timeOf(b));
}

export function timeOf(record: TapeRecord): number {
  return 'timestamp' in record ? record.timestamp : record.from;
}
