/**
 * What the registry may hold: a detector's model, or a forest alone that scores rows of its own columns (somebody's from
 * scikit-learn, say). Both are one JSON file, known by the sha256 of its bytes.
 */
import { type Artefact, artefactFromJson } from '../detection/artefact.ts';
import { type ForestJson, IsolationForest } from '../detection/forest/index.ts';
import { TapewatchError } from '../market/error.ts';
import { sha256 } from './artefact-file.ts';

export const FOREST_FORMAT = 'tapewatch-forest/1';

/** A forest that scores rows; it can't detect, as it knows no tails. */
export interface ScoringModel {
  readonly id: string;
  /** Names of the columns, in their order. */
  readonly features: readonly string[];
  readonly forest: IsolationForest;
  readonly provenance: ScoringProvenance;
}

export interface ScoringProvenance {
  readonly command: string;
  /** sha256 of the file it came from. */
  readonly source: string;
}

export type Model =
  | { readonly kind: 'detector'; readonly artefact: Artefact }
  | { readonly kind: 'forest'; readonly scoring: ScoringModel };

interface ForestFile {
  readonly format: string;
  readonly features: readonly string[];
  readonly forest: ForestJson;
  readonly provenance: ScoringProvenance;
}

/** @throws TapewatchError `model_invalid` that says what is wrong with `name`. */
export function decodeModel(text: string, name: string): Model {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new TapewatchError('model_invalid', `The model ${name} is not JSON.`, { cause });
  }
  const id = sha256(text);
  const isForest = typeof json === 'object' && json !== null && 'format' in json && json.format === FOREST_FORMAT;
  if (!isForest) return { kind: 'detector', artefact: artefactFromJson(json, id) };
  const { features, forest: trees, provenance } = json as Partial<ForestFile>;
  const forest = IsolationForest.fromJSON(trees);
  checkNames(features, forest.features);
  if (typeof provenance?.command !== 'string' || typeof provenance.source !== 'string')
    throw invalid('provenance is missing');
  return { kind: 'forest', scoring: { id, features, forest, provenance } };
}

/**
 * The file of a scoring model from an ONNX model (IsolationForest.fromONNX says of which shapes). ONNX names no columns:
 * without `names` they are x0, x1, … @throws TapewatchError `model_invalid`.
 */
export function modelFromOnnx(bytes: Uint8Array, command: string, names?: readonly string[]): string {
  const forest = IsolationForest.fromONNX(bytes);
  const features = names ?? Array.from({ length: forest.features }, (_, i) => `x${i}`);
  checkNames(features, forest.features);
  const file: ForestFile = {
    format: FOREST_FORMAT,
    features,
    forest: forest.toJSON(),
    provenance: { command, source: sha256(bytes) },
  };
  return `${JSON.stringify(file)}\n`;
}

function checkNames(names: unknown, count: number): asserts names is readonly string[] {
  const isList = Array.isArray(names) && names.every((name) => typeof name === 'string' && name !== '');
  if (!isList || new Set(names).size !== names.length) throw invalid('its features are not names, each another');
  if (names.length !== count) throw invalid(`it names ${names.length} features for the forest's ${count} columns`);
}

function invalid(reason: string): TapewatchError {
  return new TapewatchError('model_invalid', `The model can't be used: ${reason}.`);
}
