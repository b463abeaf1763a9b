/** The policy that a command's options ask for, over what is in force, over what the package ships. */
import { readFileSync } from 'node:fs';
import { parseRules } from '../detection/decision/rules.ts';
import type { Policy } from '../detection/detector.ts';
import { TapewatchError } from '../market/error.ts';
import type { DetectionSettings, Rule } from '../market/records.ts';
import { DEFAULT_MODEL, loadArtefact, settingsId } from '../model/artefact-file.ts';
import { givenSettings, readSettings } from '../settings.ts';

export interface PolicyOptions {
  readonly model?: string;
  readonly budget?: string;
  readonly closeAfter?: string;
  /** A JSON file of rules. */
  readonly rules?: string;
}

/** What is given counts; the rest is as in `before`, or the default where there is no before. */
export function policyOf(options: PolicyOptions, before?: Policy): Policy {
  const asked = { budget: options.budget, 'close-after': options.closeAfter, rules: options.rules };
  const values = readSettings(asked);
  const given = givenSettings(asked);
  const old = before?.settings;
  const settings: DetectionSettings = {
    budget: old && !given.has('budget') ? old.budget : (values['budget'] as number),
    close_after_s: old && !given.has('close-after') ? old.close_after_s : (values['close-after'] as number),
    rules: old && !given.has('rules') ? old.rules : readRules(values['rules'] as string),
  };
  const artefact =
    options.model === undefined && before ? before.artefact : loadArtefact(options.model ?? DEFAULT_MODEL);
  return { artefact, settings, settingsId: settingsId(settings) };
}

/** @throws TapewatchError `settings` with a line for each thing that is wrong. */
function readRules(path: string): readonly Rule[] {
  if (path === '') return [];
  try {
    return parseRules(JSON.parse(readFileSync(path, 'utf8')));
  } catch (cause) {
    const said = (cause as Error).message;
    throw new TapewatchError('settings', `--rules ${path}: ${said}`, { cause });
  }
}
