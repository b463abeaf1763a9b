/** Faults on request: `name@seconds`, with an argument after a colon where it takes one, several joined by commas. */
import { TapewatchError } from '../market/error.ts';

export type FaultName =
  | 'cut'
  | 'hole'
  | 'lost'
  | 'duplicate'
  | 'reorder'
  | 'stall'
  | 'shutdown'
  | '429'
  | '418'
  | 'malformed'
  | 'halt';

export interface Fault {
  readonly name: FaultName;
  /** Simulated seconds after the first trade. */
  readonly at_s: number;
  /** Trades of a hole; seconds of a stall, a refusal or a halt, or from the word of a shutdown to the end. */
  readonly amount: number;
}

const AMOUNTS: Readonly<Record<FaultName, number>> = {
  cut: 0,
  hole: 5,
  lost: 5,
  duplicate: 1,
  reorder: 1,
  stall: 20,
  shutdown: 600,
  '429': 2,
  '418': 5,
  malformed: 0,
  halt: 30,
};
const FORM = /^(cut|hole|lost|duplicate|reorder|stall|shutdown|429|418|malformed|halt)@(\d+(?:\.\d+)?)(?::(\d+))?$/;

/** @throws TapewatchError `usage` that lists the forms. */
export function parseFaults(list: string): Fault[] {
  return list
    .split(',')
    .filter((item) => item.trim() !== '')
    .map((item) => {
      const match = FORM.exec(item.trim());
      if (!match) {
        throw new TapewatchError(
          'usage',
          `--fault: "${item}" is none of cut@S, hole@S:N, lost@S:N, duplicate@S:N, reorder@S:N, stall@S:SECONDS, shutdown@S:SECONDS, 429@S:SECONDS, 418@S:SECONDS, malformed@S, halt@S:SECONDS (S: seconds of simulated time).`,
        );
      }
      const name = match[1] as FaultName;
      return { name, at_s: Number(match[2]), amount: match[3] === undefined ? AMOUNTS[name] : Number(match[3]) };
    })
    .sort((a, b) => a.at_s - b.at_s);
}
