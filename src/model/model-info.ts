/** What a model is, for programs: its columns, its forest, where it comes from. */
import type { Provenance } from '../detection/artefact.ts';
import { FEATURES } from '../detection/surprise/vector.ts';
import type { Model, ScoringProvenance } from './scoring-model.ts';

export interface ModelInfo {
  /** A `detector` can be put in force, a `forest` scores rows of its own columns. */
  readonly kind: 'detector' | 'forest';
  readonly features: readonly string[];
  readonly trees: number;
  readonly sample_size: number;
  readonly provenance: Provenance | ScoringProvenance;
}

export function modelInfo(model: Model): ModelInfo {
  const { forest, provenance } = model.kind === 'detector' ? model.artefact : model.scoring;
  const features = model.kind === 'detector' ? FEATURES : model.scoring.features;
  return { kind: model.kind, features, trees: forest.trees, sample_size: forest.sampleSize, provenance };
}
