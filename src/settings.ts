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
  {
    key: 'symbols',
    type: 'list',
    default: 'BTCUSDT,ETHUSDT,SOLUSDT,XRPUSDT,DOGEUSDT',
    unit: 'names',
    why: 'what to watch',
  },
  { key: 'data', type: 'string', default: '.tapewatch', unit: 'folder', why: 'where the embedded log lives' },
  {
    key: 'port',
    type: 'number',
    default: '8080',
    unit: 'port',
    why: 'where the API listens',
    min: 0,
    max: 65_535,
    whole: true,
  },
  { key: 'host', type: 'string', default: '127.0.0.1', unit: 'address', why: 'who may reach the API' },
  { key: 'ws-url', type: 'list', default: '', unit: 'URLs', why: 'WebSocket endpoints instead of Binance’s' },
  { key: 'rest-url', type: 'list', default: '', unit: 'URLs', why: 'REST endpoints instead of Binance’s' },
  {
    key: 'history',
    type: 'number',
    default: '4000',
    unit: 's',
    why: 'history to warm up on; 0 for none',
    min: 0,
    max: 86_400,
    whole: true,
  },
  {
    key: 'repair-limit',
    type: 'number',
    default: '100000',
    unit: 'trades',
    why: 'missing trades beyond which the older ones are given up',
    min: 0,
    max: 1e7,
    whole: true,
  },
  {
    key: 'partitions',
    type: 'number',
    default: '4',
    unit: 'partitions',
    why: 'of the topics, fixed when they are made',
    min: 1,
    max: 1000,
    whole: true,
  },
  {
    key: 'retention',
    type: 'number',
    default: '168',
    unit: 'h',
    why: 'how long trades and bars are kept',
    min: 1,
    max: 87_600,
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
