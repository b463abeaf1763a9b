/** What the package gives to programs: the detector's records and a backtest; the forest is at `tapewatch/forest`. */
export { type BacktestOptions, type BacktestResult, backtest } from './backtest/backtest.ts';
export type { Policy } from './detection/detector.ts';
export { encodeAnomaly, encodeBar } from './market/codec.ts';
export { TapewatchError } from './market/error.ts';
export type { Anomaly, Bar, DetectionSettings, TapeRecord, Trade } from './market/records.ts';
export { DEFAULT_MODEL, loadArtefact, settingsId } from './model/artefact-file.ts';
export { readTape } from './tape-files/tape.ts';
