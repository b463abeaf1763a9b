/** Every night, where the user wants it: a model from the log, put in force at the same trade for all. */
import type { EventLog } from '../event-log/event-log.ts';
import type { TopicNames } from '../event-log/topics.ts';
import { TapewatchError } from '../market/error.ts';
import type { DetectionSettings } from '../market/records.ts';
import { activate } from '../model/activation.ts';
import type { ModelRegistry, ModelVersion } from '../model/registry.ts';
import { trainInThread } from '../model/train-thread.ts';
import type { Clock } from '../transport/transport.ts';

export interface Nightly {
  readonly log: EventLog;
  readonly topics: TopicNames;
  readonly registry: ModelRegistry;
  /** In force since the start; an activation since then goes before it. */
  readonly settings: DetectionSettings;
  readonly signal: AbortSignal;
}

const NAME = 'nightly';
const SEED = 1;
const DAY_MS = 86_400_000;
const LINE_END = Buffer.from('\n');

/** Trains at `time` (`HH:MM`, UTC) of each day until the signal fires; a night that fails leaves the model in force. */
export async function trainNightly(
  nightly: Nightly,
  time: string,
  clock: Clock,
  say: (words: string) => void,
): Promise<void> {
  const at = timeOfDay(time);
  const { signal } = nightly;
  while (!signal.aborted) {
    const now = clock.now();
    const due = now - (now % DAY_MS) + at;
    try {
      await clock.sleep(due > now ? due - now : due + DAY_MS - now, signal);
      const { version, model } = await trainOnLog(nightly);
      say(`Trained on the log: nightly@${version} (${model.slice(0, 19)}) is put in force.`);
    } catch (error) {
      if (signal.aborted) return;
      say(`Nightly training failed, the model in force stays: ${(error as Error).message}`);
    }
  }
}

/** Trains on all that the log holds, registers the model and writes its activation. */
export async function trainOnLog({ log, topics, registry, settings, signal }: Nightly): Promise<ModelVersion> {
  const chunks = (): AsyncIterable<Uint8Array<ArrayBuffer>> => linesOf(log, topics.trades);
  const text = await trainInThread({ chunks, seed: SEED, command: 'nightly training on the log', signal });
  const version = await registry.add(NAME, text);
  await activate(log, topics, { model: version.model, settings: registry.active?.settings ?? settings });
  return version;
}

/** The tape, partition after partition, as lines: a symbol's records are all in one. */
async function* linesOf(log: EventLog, trades: string): AsyncIterable<Uint8Array<ArrayBuffer>> {
  for (let partition = 0; partition < (await log.partitions(trades)); partition++) {
    const { first, end } = await log.bounds(trades, partition);
    for (let from = first; from < end; ) {
      const { records, next } = await log.read(trades, partition, from);
      if (next <= from) break;
      const lines = records.flatMap(({ value }) => (value === null ? [] : [value, LINE_END]));
      if (lines.length > 0) yield new Uint8Array(Buffer.concat(lines));
      from = next;
    }
  }
}

/** ms after midnight. @throws TapewatchError `settings`. */
export function timeOfDay(text: string): number {
  const [, hours, minutes] = /^([01]\d|2[0-3]):([0-5]\d)$/.exec(text) ?? [];
  if (hours === undefined)
    throw new TapewatchError('settings', `--train-at is "${text}": it must be a time of day in UTC, HH:MM.`);
  return (Number(hours) * 60 + Number(minutes)) * 60_000;
}
