/** A thread of a backtest: the symbols it is given, through the same step. Started by `division.ts` only. */
import { parentPort, workerData } from 'node:worker_threads';
import { type ArtefactJson, artefactFromJson } from '../detection/artefact.ts';
import type { DetectionSettings } from '../market/records.ts';
import { Step, type StepOptions, type StepResult } from './step.ts';
import { type Parcel, Unpacker } from './wire.ts';

export interface WorkerOrder {
  readonly artefact: ArtefactJson;
  readonly artefactId: string;
  readonly settings: readonly { readonly id: string; readonly settings: DetectionSettings }[];
  readonly trace: StepOptions['trace'];
}

/** A parcel, or null at the end of the tape. */
export type ToWorker = Parcel | null;
/** Rows that were read, to be filled again; at the end the result. */
export type FromWorker = { readonly rows: Float64Array<ArrayBuffer> } | { readonly result: StepResult };

if (parentPort && workerData) {
  const port = parentPort;
  const { artefact, artefactId, settings, trace } = workerData as WorkerOrder;
  const model = artefactFromJson(artefact, artefactId);
  const policies = settings.map(({ id, settings: values }) => ({ artefact: model, settings: values, settingsId: id }));
  const step = new Step({ policies, trace });
  const unpacker = new Unpacker();
  port.on('message', (parcel: ToWorker) => {
    if (parcel === null) {
      port.postMessage({ result: step.result() } satisfies FromWorker);
      port.close();
      return;
    }
    unpacker.unpack(parcel, (record) => step.push(record));
    port.postMessage({ rows: parcel.rows } satisfies FromWorker, [parcel.rows.buffer]);
  });
}
