/** Incidents of the whole market: many symbols, the same way, within moments of each other. Pure. */
import type { Anomaly } from '../../src/market/records.ts';
import type { Incident } from './alerts.ts';

export interface MarketWide {
  readonly from: number;
  readonly to: number;
  readonly direction: Anomaly['direction'];
  readonly symbols: readonly string[];
  readonly first: Anomaly;
}

const NEIGHBOURS_MS = 30_000;
const LEAST = 5;
const LEAST_SHARE = 0.2;

/** Newest first. `watched` is the number of symbols on the watch list. */
export function marketWide(incidents: readonly Incident[], watched: number): readonly MarketWide[] {
  const found: MarketWide[] = [];
  for (const direction of ['up', 'down', 'none'] as const) {
    const opened = incidents
      .map(({ records }) => records[0]!)
      .filter((record) => record.direction === direction && record.kind !== 'data_fault')
      .sort((a, b) => a.timestamp - b.timestamp);
    let group: Anomaly[] = [];
    const end = (): void => {
      const symbols = [...new Set(group.map(({ symbol }) => symbol))];
      if (symbols.length >= Math.max(LEAST, watched * LEAST_SHARE))
        found.push({ from: group[0]!.timestamp, to: group.at(-1)!.timestamp, direction, symbols, first: group[0]! });
    };
    for (const record of opened) {
      const last = group.at(-1);
      if (last && record.timestamp - last.timestamp > NEIGHBOURS_MS) {
        end();
        group = [];
      }
      group.push(record);
    }
    if (group.length > 0) end();
  }
  return found.sort((a, b) => b.from - a.from);
}
