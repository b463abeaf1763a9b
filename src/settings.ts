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
  /** What every item of a list has to be, in words and as a pattern. */
  readonly each?: readonly [string, RegExp];
  /** Never an option, which others on the machine can read; never shown. */
  readonly secret?: boolean;
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
    key: 'rules',
    type: 'string',
    default: '',
    unit: 'file',
    why: 'JSON rules beside the budget: z-scores, least notional, direction, muted periods',
  },
  {
    key: 'train-at',
    type: 'string',
    default: '',
    unit: 'HH:MM, UTC',
    why: 'train every night on the log and put the model in force; empty for never',
  },
  {
    key: 'symbols',
    type: 'list',
    default: 'BTCUSDT,ETHUSDT,SOLUSDT,XRPUSDT,DOGEUSDT',
    unit: 'names',
    why: 'what to watch',
    min: 1,
    each: ['a name such as BTCUSDT', /^[\p{L}\p{N}]+$/u],
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
  {
    key: 'ws-url',
    type: 'list',
    default: '',
    unit: 'URLs',
    why: 'WebSocket endpoints instead of Binance’s',
    each: ['a URL such as wss://stream.binance.com:9443', /^wss?:\/\/[^\s/?#]+\/*$/],
  },
  {
    key: 'rest-url',
    type: 'list',
    default: '',
    unit: 'URLs',
    why: 'REST endpoints instead of Binance’s',
    each: ['a URL such as https://api.binance.com', /^https?:\/\/[^\s/?#]+\/*$/],
  },
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
    key: 'token',
    type: 'string',
    default: '',
    unit: 'secret',
    why: 'that writes over HTTP need; without it only this computer may write',
  },
  {
    key: 'rate-limit',
    type: 'number',
    default: '0',
    unit: 'requests a second',
    why: 'that one address may make of the API; 0 for any number',
    min: 0,
    max: 1_000_000,
    whole: true,
  },
  {
    key: 'cors-origins',
    type: 'list',
    default: '',
    unit: 'origins',
    why: 'whose pages may call the API; without one only its own page',
    each: ['an origin such as https://example.com', /^(\*|https?:\/\/[^\s/?#]+)$/],
  },
  {
    key: 'notify',
    type: 'string',
    default: '',
    unit: 'file',
    why: 'who is told of which incidents, as JSON; secrets come from variables that it names',
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
  {
    key: 'kafka',
    type: 'list',
    default: '',
    unit: 'host:port,…',
    why: 'brokers of the cluster that holds the log, instead of a folder',
  },
  {
    key: 'kafka-prefix',
    type: 'string',
    default: '',
    unit: 'text',
    why: 'before the names of topics and groups: several installations share a cluster',
  },
  {
    key: 'kafka-replication',
    type: 'number',
    default: '0',
    unit: 'replicas',
    why: 'of topics that are made; 0: three, or as many as there are brokers',
    min: 0,
    max: 100,
    whole: true,
  },
  {
    key: 'kafka-tls',
    type: 'string',
    default: 'off',
    unit: 'off|on',
    why: 'TLS to the brokers; on by itself where an authority or a certificate is given',
  },
  { key: 'kafka-tls-ca', type: 'string', default: '', unit: 'file', why: 'PEM of the authority to trust' },
  { key: 'kafka-tls-cert', type: 'string', default: '', unit: 'file', why: 'PEM of the client certificate' },
  { key: 'kafka-tls-key', type: 'string', default: '', unit: 'file', why: 'PEM of its key' },
  {
    key: 'kafka-sasl',
    type: 'string',
    default: 'none',
    unit: 'none|plain|scram-sha-256|scram-sha-512|oauthbearer',
    why: 'how to log in to the brokers',
  },
  { key: 'kafka-username', type: 'string', default: '', unit: 'name', why: 'for plain and scram' },
  {
    key: 'kafka-password',
    type: 'string',
    default: '',
    unit: 'secret',
    why: 'for plain and scram; a file is better',
    secret: true,
  },
  { key: 'kafka-password-file', type: 'string', default: '', unit: 'file', why: 'that holds the password' },
  {
    key: 'kafka-token-file',
    type: 'string',
    default: '',
    unit: 'file',
    why: 'that holds the token for oauthbearer, read anew at every connection',
  },
  {
    key: 'kafka-compression',
    type: 'string',
    default: 'lz4',
    unit: 'none|lz4|zstd|snappy|gzip',
    why: 'of what is written',
  },
  {
    key: 'kafka-linger',
    type: 'number',
    default: '2',
    unit: 'ms',
    why: 'how long a write waits for others to go along',
    min: 0,
    max: 10_000,
  },
  {
    key: 'kafka-batch',
    type: 'number',
    default: '786432',
    unit: 'bytes',
    why: 'most of one batch of one partition, before compression',
    min: 1024,
    max: 8_388_608,
    whole: true,
  },
  {
    key: 'kafka-session',
    type: 'number',
    default: '6000',
    unit: 'ms',
    why: 'without a sign of life for so long a process loses its partitions',
    min: 1000,
    max: 300_000,
    whole: true,
  },
  {
    key: 'instance',
    type: 'string',
    default: '',
    unit: 'name',
    why: 'of this process among those of its role, the same after a restart: it then keeps its partitions',
  },
];

/** The settings of this table by key, from options over `TAPEWATCH_…` variables over defaults. */
export type Values = Readonly<Record<string, string | number | readonly string[]>>;

/** A secret, whose variable the user chose: it has no default and is shown nowhere. */
export function readSecret(name: string): string | undefined {
  return process.env[name];
}

/** @throws TapewatchError `settings` with a list of all that is wrong. */
export function readSettings(
  options: Readonly<Record<string, string | undefined>>,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Values {
  const faults: string[] = [];
  const values: Record<string, string | number | readonly string[]> = {};
  for (const row of SETTINGS) {
    const variable = variableOf(row.key);
    const given = options[row.key] ?? environment[variable];
    const name = options[row.key] === undefined && given !== undefined ? variable : `--${row.key}`;
    const text = given ?? row.default;
    if (row.type === 'number') values[row.key] = readNumber(row, text, name, faults);
    else values[row.key] = row.type === 'list' ? readList(row, text, name, faults) : text;
  }
  if (faults.length > 0) throw new TapewatchError('settings', faults.join('\n'));
  return values;
}

function readList({ min = 0, each, unit }: Row, text: string, name: string, faults: string[]): readonly string[] {
  const items = text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
  if (items.length < min) faults.push(`${name} is ${JSON.stringify(text)}: it must list ${min} or more (${unit}).`);
  const [words, pattern] = each ?? ['', /^/];
  for (const item of items)
    if (!pattern.test(item)) faults.push(`${name} has ${JSON.stringify(item)}: it must be ${words}.`);
  return items;
}

/** Keys that an option or a variable sets, so that no default speaks. */
export function givenSettings(
  options: Readonly<Record<string, string | undefined>>,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): ReadonlySet<string> {
  const given = SETTINGS.filter(({ key }) => (options[key] ?? environment[variableOf(key)]) !== undefined);
  return new Set(given.map(({ key }) => key));
}

function variableOf(key: string): string {
  return `TAPEWATCH_${key.toUpperCase().replaceAll('-', '_')}`;
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
