/** One incident recomputed from a tape: its records, and the trades before the one in question. */
import type { Policy } from '../detection/detector.ts';
import { encodeAnomaly } from '../market/codec.ts';
import { type Anomaly, incidentOf, isTrade, type TapeRecord, type Trade } from '../market/records.ts';
import { type Resolve, TapeDetector } from '../pipeline/tape-detector.ts';

export interface Recomputed {
  /** The record asked for, null where this tape, model and settings give none of that id. */
  readonly anomaly: Anomaly | null;
  readonly story: readonly Anomaly[];
  /** The symbol's last trades up to the record, oldest first. */
  readonly trades: readonly Trade[];
}

/** What a replay begins with. */
export interface Start {
  readonly policy: Policy;
  /** What activations on the tape ask for; without it `policy` overrides them. */
  readonly resolve?: Resolve;
  /** Puts a snapshot in, where the tape does not begin at the beginning. */
  readonly restore?: (detector: TapeDetector) => void;
}

const TRADES_KEPT = 200;

/** Other symbols' trades don't; their control records do: the epochs they carry tell which of this one's are a zombie's. */
export function concerns(symbol: string, record: TapeRecord): boolean {
  return !isTrade(record) || record.symbol === symbol;
}

export async function recompute(
  tape: AsyncIterable<readonly TapeRecord[]>,
  { policy, resolve, restore }: Start,
  id: string,
): Promise<Recomputed> {
  const symbol = id.slice(0, id.indexOf(':'));
  const story: Anomaly[] = [];
  let trades: Trade[] = [];
  let recent: Trade[] = [];
  const detector = new TapeDetector({
    policy,
    ...(resolve ? { resolve } : {}),
    output: {
      anomaly: (anomaly) => {
        if (incidentOf(anomaly.id) !== incidentOf(id)) return;
        story.push(anomaly);
        if (anomaly.id === id) trades = recent.slice(-TRADES_KEPT);
      },
      bar: () => undefined,
    },
  });
  restore?.(detector);
  for await (const batch of tape) {
    for (const record of batch) {
      if (!concerns(symbol, record)) continue;
      if (isTrade(record)) {
        recent.push(record);
        if (recent.length > 2 * TRADES_KEPT) recent = recent.slice(-TRADES_KEPT);
      }
      detector.push(record);
    }
    if (story.at(-1)?.phase === 'close') break;
  }
  return { anomaly: story.find((anomaly) => anomaly.id === id) ?? null, story, trades };
}

/** Whether two records are the same to the byte. */
export function sameBytes(a: Anomaly, b: Anomaly): boolean {
  return encodeAnomaly(a) === encodeAnomaly(b);
}
