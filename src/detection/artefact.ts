/**
 * A model: everything detection knows before the first trade, in one JSON file. `train` makes it, the detector only reads.
 * Its identity is the sha256 of the file, computed where there is I/O.
 */
import { TapewatchError } from '../market/error.ts';
import { IsolationForest } from './forest/index.ts';
import { KIND_COUNT, MARKET_KINDS } from './surprise/kinds.ts';
import { GRID_FIRST, GRID_LEVELS, GRID_STEP, type PooledTail } from './surprise/tail.ts';
import { FEATURES } from './surprise/vector.ts';

export const ARTEFACT_FORMAT = 'tapewatch-model/2';
/** Grows with every change that may change a byte of the output. */
export const DETECTOR_VERSION = '4';

export interface Calibration {
  /** One pooled tail a kind, in the order of MARKET_KINDS. */
  readonly kinds: readonly PooledTail[];
  /** The tail of the longest return period among the kinds. */
  readonly union: PooledTail;
}

export interface Provenance {
  readonly trainedOn: readonly {
    readonly symbol: string;
    readonly from: number;
    readonly to: number;
    readonly trades: number;
  }[];
  readonly seed: number;
  readonly command: string;
}

/** Mean and deviation of each feature as symbols usually have it: for rows that come without a history of their own. */
export interface Scaling {
  readonly mean: Float64Array;
  readonly deviation: Float64Array;
}

export interface Artefact {
  readonly id: string;
  readonly scaling: Scaling;
  readonly forest: IsolationForest;
  readonly calibration: Calibration;
  readonly provenance: Provenance;
}

interface TailJson {
  readonly log_period: readonly number[];
  readonly log_share: readonly number[];
}

export interface ArtefactJson {
  readonly format: string;
  readonly features: readonly string[];
  readonly scaling: { readonly form: string; readonly mean: readonly number[]; readonly deviation: readonly number[] };
  readonly forest: unknown;
  readonly calibration: {
    readonly grid: { readonly first: number; readonly step: number; readonly levels: number };
    readonly kinds: Readonly<Record<string, TailJson>>;
    readonly union: TailJson;
  };
  readonly provenance: Provenance;
}

const SCALING_FORM = 'z = (x - mean) / deviation, then sign(z) log2(1 + |z|), linear between powers of two';

export function artefactToJson(artefact: Omit<Artefact, 'id'>): ArtefactJson {
  const tail = ({ logPeriod, logShare }: PooledTail): TailJson => ({
    log_period: [...logPeriod],
    log_share: [...logShare],
  });
  return {
    format: ARTEFACT_FORMAT,
    features: FEATURES,
    scaling: {
      form: SCALING_FORM,
      mean: [...artefact.scaling.mean],
      deviation: [...artefact.scaling.deviation],
    },
    forest: artefact.forest.toJSON(),
    calibration: {
      grid: { first: GRID_FIRST, step: GRID_STEP, levels: GRID_LEVELS },
      kinds: Object.fromEntries(MARKET_KINDS.map((kind, k) => [kind, tail(artefact.calibration.kinds[k]!)])),
      union: tail(artefact.calibration.union),
    },
    provenance: artefact.provenance,
  };
}

/** @throws TapewatchError `model_invalid` that names the field. */
export function artefactFromJson(json: unknown, id: string): Artefact {
  const source = json as Partial<ArtefactJson> | null;
  if (typeof source !== 'object' || source === null || source.format !== ARTEFACT_FORMAT) {
    throw invalid(`format is not ${ARTEFACT_FORMAT}; train it anew with "tapewatch train"`);
  }
  if (JSON.stringify(source.features) !== JSON.stringify(FEATURES)) {
    throw invalid('its features are not those of this detector; train it anew with "tapewatch train"');
  }
  const { calibration, provenance } = source;
  const { grid } = calibration ?? {};
  if (!calibration || grid?.first !== GRID_FIRST || grid.step !== GRID_STEP || grid.levels !== GRID_LEVELS) {
    throw invalid('its calibration has another grid; train it anew with "tapewatch train"');
  }
  if (!provenance) throw invalid('provenance is missing');
  const forest = IsolationForest.fromJSON(source.forest);
  if (forest.features !== FEATURES.length)
    throw invalid(`the forest has ${forest.features} columns instead of ${FEATURES.length}`);
  const scaling = scalingFromJson(source.scaling);
  const kinds = MARKET_KINDS.map((kind) => tailFromJson(calibration.kinds?.[kind], kind));
  return { id, scaling, forest, calibration: { kinds, union: tailFromJson(calibration.union, 'union') }, provenance };
}

function scalingFromJson(json: ArtefactJson['scaling'] | undefined): Scaling {
  const column = (values: readonly number[] | undefined): Float64Array => {
    if (!Array.isArray(values) || values.length !== FEATURES.length || !values.every(Number.isFinite)) {
      throw invalid(`scaling does not have ${FEATURES.length} numbers`);
    }
    return Float64Array.from(values);
  };
  const deviation = column(json?.deviation);
  if (!deviation.every((x) => x > 0)) throw invalid('a deviation of its scaling is not above 0');
  return { mean: column(json?.mean), deviation };
}

function tailFromJson(json: TailJson | undefined, name: string): PooledTail {
  const column = (values: readonly number[] | undefined): Float64Array => {
    if (!Array.isArray(values) || values.length !== GRID_LEVELS || !values.every(Number.isFinite)) {
      throw invalid(`calibration of ${name} does not have ${GRID_LEVELS} numbers`);
    }
    return Float64Array.from(values);
  };
  return { logPeriod: column(json?.log_period), logShare: column(json?.log_share) };
}

function invalid(reason: string): TapewatchError {
  return new TapewatchError('model_invalid', `The model can't be used: ${reason}.`);
}

/** A prior that knows nothing but an exponential tail: for training's first pass, before anything is known. */
export function flatCalibration(): Calibration {
  const tail = (): PooledTail => {
    const logPeriod = Float64Array.from({ length: GRID_LEVELS }, (_, i) => 5 + 2.4 * GRID_STEP * i);
    return { logPeriod, logShare: logPeriod.map((x) => -x) };
  };
  return { kinds: Array.from({ length: KIND_COUNT }, tail), union: tail() };
}
