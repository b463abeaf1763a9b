/** Every setting there is: one table, from which options, environment variables and documentation come. */
import { TapewatchError } from './market/error.ts';

interface Row {
  readonly key: string;
  readonly type: 'string' | 'number' | 'list';
  readonly default: string;
  /** Unit of a number, placeholder of a string. */
  readonly unit: string;
  readonly why: string;
  readonly min?: number;
  readonly max?: number;
  /** A number without a fraction. */
  readonly whole?: boolean;
}

export const SETTINGS: readonly Row[] = [
  {
    key: 'budget',
    type: 'number',
    default: '1',
    unit: 'incidents a symbol-day',
    why: 'how many incidents you will read',
    min: 0.001,
    max: 1000,
  },
  {
    key: 'close-after',
    type: 'number',
    default: '600',
    unit: 's',
    why: 'quiet time after which an incident closes',
    min: 1,
    max: 86_400,
    whole: true,
  },
];

/** The settings of this table by key, from options over `TAPEWATCH_…` variables over defaults. */
export type Values = Readonly<Record<string, string | number | readonly string[]>>;

/** @throws TapewatchError `settings` with a list of all that is wrong. */
export function readSettings(
  options: Readonly<Record<string, string | undefined>>,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Values {
  const faults: string[] = [];
  const values: Record<string, string | number | readonly string[]> = {};
  for (const row of SETTINGS) {
    const variable = `TAPEWATCH_${row.key.toUpperCase().replaceAll('-', '_')}`;
    const given = options[row.key] ?? environment[variable];
    const name = options[row.key] === undefined && given !== undefined ? variable : `--${row.key}`;
    const text = given ?? row.default;
    if (row.type === 'number') values[row.key] = readNumber(row, text, name, faults);
    else
      values[row.key] =
        row.type === 'list'
          ? text
              .split(',')
              .map((item) => item.trim())
              .filter((item) => item !== '')
          : text;
  }
  if (faults.length > 0) throw new TapewatchError('settings', faults.join('\n'));
  return values;
}

function readNumber(row: Row, text: string, name: string, faults: string[]): number {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  const { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY } = row;
  if (!(value >= min && value <= max) || (row.whole && !Number.isInteger(value))) {
    faults.push(
      `${name} is ${JSON.stringify(text)}: it must be a ${row.whole ? 'whole ' : ''}number from ${min} to ${max} (${row.unit}).`,
    );
  }
  return value;
}
