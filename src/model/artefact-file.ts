/** Artefacts on disk: canonical JSON, named by the sha256 of its bytes. */
import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Artefact, artefactFromJson, artefactToJson } from '../detection/artefact.ts';
import { TapewatchError } from '../market/error.ts';
import type { DetectionSettings } from '../market/records.ts';

/** The model the package ships. */
export const DEFAULT_MODEL: string = fileURLToPath(new URL('../../models/default.json', import.meta.url));

export function sha256(bytes: Uint8Array | string): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** What evidence calls the settings: the hash of their canonical JSON. */
export function settingsId(settings: DetectionSettings): string {
  return sha256(
    JSON.stringify({ budget: settings.budget, close_after_s: settings.close_after_s, rules: settings.rules }),
  );
}

/** @throws TapewatchError `model_invalid` that names the file. */
export function loadArtefact(path: string): Artefact {
  return decodeArtefact(readArtefactText(path), path);
}

/** The file's own bytes, of which the sha256 is the model's id. @throws TapewatchError `model_invalid`. */
export function readArtefactText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (cause) {
    throw new TapewatchError('model_invalid', `Can't read the model ${path}: ${(cause as Error).message}.`, { cause });
  }
}

export function decodeArtefact(text: string, name: string): Artefact {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new TapewatchError('model_invalid', `The model ${name} is not JSON.`, { cause });
  }
  return artefactFromJson(json, sha256(text));
}

export function encodeArtefact(artefact: Omit<Artefact, 'id'>): string {
  return `${JSON.stringify(artefactToJson(artefact))}\n`;
}

/** Writes the artefact and returns its id. */
export function saveArtefact(path: string, artefact: Omit<Artefact, 'id'>): string {
  const text = encodeArtefact(artefact);
  writeFileSync(path, text);
  return sha256(text);
}
