/** Evidence in the log: what an incident's records are recomputed from, byte for byte, whatever is in force now. */

import type { StoredEvidence } from '../api/routes/read.ts';
import type { Start } from '../backtest/recompute.ts';
import type { Policy } from '../detection/detector.ts';
import type { EventLog } from '../event-log/event-log.ts';
import { topicNames } from '../event-log/topics.ts';
import { TapewatchError } from '../market/error.ts';
import { partitionOf } from '../market/partition.ts';
import { type Anomaly, incidentOf, isTrade, type TapeRecord, type Trade } from '../market/records.ts';
import { ModelRegistry } from '../model/registry.ts';
import { decodeEvidence, decodeEvidenceHead, type EvidenceHead } from '../pipeline/evidence.ts';
import { readPartition } from './tapes.ts';

/** An anomaly's first trades may stand before the snapshot that its replay begins with. */
const RECORDS_BACK = 20_000;
const RECORDS_READ_MAX = 200_000;
const TRADES_MAX = 5000;

export interface Replay {
  /** From the evidence's place in the log; anew at each call. */
  tape(): AsyncIterable<readonly TapeRecord[]>;
  readonly start: Start;
}

/** A symbol's records from its trade `lastTradeId` on, from elsewhere than the log. */
export type TradesFrom = (symbol: string, lastTradeId: number) => AsyncIterable<readonly TapeRecord[]>;

/**
 * The replay that gives an incident's records; null where the log has no evidence of it. `shipped` is the model at hand
 * besides those of the registry; `elsewhere` gives the trades instead of the log.
 * @throws TapewatchError `not_found` where the model or the trades are gone, `record_invalid` where the evidence is damaged
 */
export async function replayOf(
  log: EventLog,
  incident: string,
  shipped: Policy,
  elsewhere?: TradesFrom,
): Promise<Replay | null> {
  const bytes = await evidenceBytes(log, incident);
  if (!bytes) return null;
  const { symbol, partition, offset, lastTradeId, model, settings, state, snapshot } = decodeEvidence(bytes);
  const { trades, models } = topicNames('');
  const registry = new ModelRegistry(log, models);
  await registry.prepare([
    model,
    ...state.activations.map((its) => its.model),
    ...(snapshot ? [snapshot.head.model] : []),
  ]);
  const within = await log.bounds(trades, partition);
  if (!elsewhere && offset < within.first) {
    throw new TapewatchError(
      'not_found',
      `The trades that ${incident} rests on are no longer in the log, which keeps them for --retention: give them as --tape, or --fetch them from the exchange.`,
    );
  }
  const named = (wanted: Pick<EvidenceHead, 'model' | 'settings'>): Policy => {
    const policy = registry.resolve(wanted, shipped);
    if (policy) return policy;
    throw new TapewatchError(
      'not_found',
      `${incident} was raised by model ${wanted.model}: import it, then ask again.`,
    );
  };
  return {
    tape: () =>
      elsewhere?.(symbol, lastTradeId) ?? readPartition(log, trades, partition, { ...within, first: offset }, registry),
    start: {
      policy: named({ model, settings }),
      resolve: registry.resolve,
      restore: (detector) => {
        detector.partitionState = state;
        if (!snapshot) return;
        const { head } = snapshot;
        // The detector goes on changing its state: each replay begins from a copy.
        const its = { policy: named(head), state: snapshot.state.slice(), offset: head.offset, reached: head.reached };
        detector.restore(symbol, its);
      },
    },
  };
}

/** For the API: an anomaly's evidence as it stands in the log, and its trades from there; null where there is none. */
export function evidencing(log: EventLog): (anomaly: Anomaly) => Promise<StoredEvidence | null> {
  return async ({ id, symbol, evidence: { firstTradeId, lastTradeId } }) => {
    const bytes = await evidenceBytes(log, incidentOf(id));
    if (!bytes) return null;
    const head = decodeEvidenceHead(bytes);
    const { trades: topic, models } = topicNames('');
    const { first, end } = await log.bounds(topic, head.partition);
    const within = {
      first: Math.max(first, head.offset - RECORDS_BACK),
      end: Math.min(end, head.offset + RECORDS_READ_MAX),
    };
    const trades: Trade[] = [];
    reading: for await (const batch of readPartition(
      log,
      topic,
      head.partition,
      within,
      new ModelRegistry(log, models),
    ))
      for (const record of batch) {
        if (!isTrade(record) || record.symbol !== symbol || record.id < firstTradeId) continue;
        if (record.id > lastTradeId || trades.length >= TRADES_MAX) break reading;
        // One that was fetched twice stands twice on the tape; readers drop it.
        if (record.id > (trades.at(-1)?.id ?? -1)) trades.push(record);
      }
    return { head, record: Buffer.from(bytes).toString('base64'), trades };
  };
}

async function evidenceBytes(log: EventLog, incident: string): Promise<Uint8Array | null> {
  const { evidence } = topicNames('');
  const partition = partitionOf(incident, await log.partitions(evidence));
  for (let from = 0; ; ) {
    const { records, next } = await log.read(evidence, partition, from);
    const found = records.find(({ key }) => key === incident);
    if (found) return found.value && new Uint8Array(found.value);
    if (next === from) return null;
    from = next;
  }
}
