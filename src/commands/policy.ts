/** The policy that a command's options ask for. */
import type { Policy } from '../detection/detector.ts';
import type { DetectionSettings } from '../market/records.ts';
import { DEFAULT_MODEL, loadArtefact, settingsId } from '../model/artefact-file.ts';
import { readSettings } from '../settings.ts';

export interface PolicyOptions {
  readonly model?: string;
  readonly budget?: string;
  readonly closeAfter?: string;
}

export function policyOf(options: PolicyOptions): Policy {
  const values = readSettings({ budget: options.budget, 'close-after': options.closeAfter });
  const settings: DetectionSettings = {
    budget: values['budget'] as number,
    close_after_s: values['close-after'] as number,
    rules: [],
  };
  return { artefact: loadArtefact(options.model ?? DEFAULT_MODEL), settings, settingsId: settingsId(settings) };
}
