/** Recomputes an anomaly from its evidence over the log's own tape, for the page. */
import type { Recomputed } from '../api/routes/recompute.ts';
import { recompute, sameBytes } from '../backtest/recompute.ts';
import { DETECTOR_VERSION } from '../detection/artefact.ts';
import type { Policy } from '../detection/detector.ts';
import type { EventLog } from '../event-log/event-log.ts';
import { type Anomaly, incidentOf } from '../market/records.ts';
import { replayOf } from './evidence.ts';
import { tapeOfSymbol } from './tapes.ts';

export function recomputing(log: EventLog, inForce: () => Policy): (recorded: Anomaly) => Promise<Recomputed> {
  return async (recorded) => {
    const { model, settings, detector } = recorded.evidence;
    if (detector !== DETECTOR_VERSION)
      return other(`It was raised by detector ${detector}; this is detector ${DETECTOR_VERSION}.`);
    const policy = inForce();
    const replay = await replayOf(log, incidentOf(recorded.id), policy);
    if (!replay && (model !== policy.artefact.id || settings !== policy.settingsId))
      return other('It was raised with another model or other settings than are in force now.');
    const { anomaly } = await recompute(
      replay ? replay.tape() : await tapeOfSymbol(log, recorded.symbol),
      replay?.start ?? { policy },
      recorded.id,
    );
    return { verdict: anomaly && sameBytes(anomaly, recorded) ? 'same' : 'differs', anomaly };
  };
}

function other(detail: string): Recomputed {
  return { verdict: 'other', anomaly: null, detail };
}
