/** `tapewatch topics`: makes the topics that are missing, and checks those that are there. */
import { topicSpecs } from '../event-log/topics.ts';
import { TapewatchError } from '../market/error.ts';
import { readSettings } from '../settings.ts';
import { openKafka } from './kafka.ts';
import { type OptionsByName, optionsByKey } from './options.ts';
import { print } from './output.ts';

/** @throws TapewatchError `settings` with a sentence for each thing that is not as wanted. */
export async function runTopics(options: OptionsByName & { readonly json?: boolean }): Promise<void> {
  const values = readSettings(optionsByKey(options));
  const log = await openKafka(values, 'topics');
  try {
    const retentionMs = (values['retention'] as number) * 3_600_000;
    const specs = topicSpecs({ prefix: '', partitions: values['partitions'] as number, retentionMs });
    await log.ensureTopics(specs);
    const faults = await log.checkTopics(specs);
    if (options.json) await print(`${JSON.stringify({ topics: specs, faults })}\n`);
    else
      for (const { name, partitions, cleanup } of specs)
        await print(
          `${(values['kafka-prefix'] as string) + name.padEnd(16)} ${String(partitions).padStart(4)} partitions  ${cleanup}\n`,
        );
    if (faults.length > 0) throw new TapewatchError('settings', faults.map(({ sentence }) => sentence).join('\n'));
  } finally {
    await log.close();
  }
}
