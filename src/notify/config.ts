/** The file that says who is told what. Secrets are not in it: it names the environment variables that hold them. */
import { type Static, Type } from 'typebox';
import { Value } from 'typebox/value';
import { TapewatchError } from '../market/error.ts';
import { KINDS, SEVERITIES } from '../market/records.ts';
import { discord } from './discord.ts';
import type { Notifier } from './notifier.ts';
import type { SinkRules } from './rules.ts';
import { slack } from './slack.ts';
import { telegram } from './telegram.ts';
import { webhook } from './webhook.ts';

const variable = Type.String({ pattern: '^[A-Z_][A-Z0-9_]*$', description: 'Name of an environment variable' });
const severity = Type.Union(SEVERITIES.map((name) => Type.Literal(name)));
const Rules = {
  name: Type.String({ pattern: '^[a-z0-9-]{1,40}$' }),
  symbols: Type.Optional(Type.Array(Type.String(), { minItems: 1 })),
  kinds: Type.Optional(Type.Array(Type.Union(KINDS.map((kind) => Type.Literal(kind))), { minItems: 1 })),
  least_severity: Type.Optional(severity),
  quiet_hours: Type.Optional(
    Type.Array(Type.String({ pattern: '^([01]\\d|2[0-3]):[0-5]\\d-([01]\\d|2[0-3]):[0-5]\\d$' })),
  ),
  time_zone: Type.Optional(Type.String()),
  through_quiet_hours: Type.Optional(severity),
};
/** Where a schema's own words would not help. */
const WORDS: Readonly<Record<string, string>> = {
  boolean: 'is not known',
  const: 'is none of those there are',
  pattern: 'is not written as it must be (quiet hours as 22:00-06:30, names in small letters, variables in capitals)',
};
const closed = { additionalProperties: false } as const;

/** By `type`, what each kind of sink needs. */
const SINKS = {
  webhook: Type.Object(
    { ...Rules, type: Type.Literal('webhook'), url: Type.String(), secret_env: Type.Optional(variable) },
    closed,
  ),
  slack: Type.Object({ ...Rules, type: Type.Literal('slack'), url_env: variable }, closed),
  discord: Type.Object({ ...Rules, type: Type.Literal('discord'), url_env: variable }, closed),
  telegram: Type.Object(
    {
      ...Rules,
      type: Type.Literal('telegram'),
      token_env: variable,
      chat: Type.String({ minLength: 1 }),
      server: Type.Optional(Type.String()),
    },
    closed,
  ),
} as const;

type SinkShape = Static<(typeof SINKS)[keyof typeof SINKS]>;

export interface Sink {
  readonly name: string;
  readonly type: string;
  readonly rules: SinkRules;
  readonly notifier: Notifier;
}

export interface NotifyConfig {
  readonly sinks: readonly Sink[];
  /** Public address of the page, for links; null: none. */
  readonly page: string | null;
}

/**
 * `environment` gives the value of a variable. @throws TapewatchError `settings` that lists all that is wrong, by the
 * sink's place in the file.
 */
export function readConfig(
  text: string,
  file: string,
  environment: (name: string) => string | undefined,
): NotifyConfig {
  const config = parsed(text, file);
  const faults: string[] = [];
  const sinks: Sink[] = [];
  const { sinks: given, page } = config;
  if (!Array.isArray(given) || given.length === 0) faults.push('"sinks" must be a list of at least one sink');
  if (page !== undefined && !isUrl(page)) faults.push('"page" must be the address of the page, as https://…');
  for (const name of Object.keys(config))
    if (name !== 'sinks' && name !== 'page') faults.push(`"${name}" is not known`);
  for (const [i, item] of (Array.isArray(given) ? given : []).entries()) {
    const read = readSink(item, environment);
    if (Array.isArray(read)) faults.push(...read.map((fault) => `sink ${i + 1}: ${fault}`));
    else if (sinks.some(({ name }) => name === read.name)) faults.push(`sink ${i + 1}: the name ${read.name} is taken`);
    else sinks.push(read);
  }
  if (faults.length > 0) throw new TapewatchError('settings', faults.map((fault) => `${file}: ${fault}.`).join('\n'));
  return { sinks, page: page === undefined ? null : String(page).replace(/\/$/, '') };
}

/** The sink, or what is wrong with it. */
function readSink(item: unknown, environment: (name: string) => string | undefined): Sink | string[] {
  const faults = faultsOf(item);
  if (faults.length > 0) return faults;
  const sink = item as SinkShape;
  try {
    return { name: sink.name, type: sink.type, rules: sink as SinkRules, notifier: notifierOf(sink, environment) };
  } catch (error) {
    return [`${sink.name}: ${(error as Error).message}`];
  }
}

function parsed(text: string, file: string): { sinks?: unknown; page?: unknown } {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value;
  } catch (cause) {
    throw new TapewatchError('settings', `${file} is not JSON: ${(cause as Error).message}.`, { cause });
  }
  throw new TapewatchError('settings', `${file} must be a JSON object with "sinks".`);
}

function faultsOf(item: unknown): string[] {
  const type = (item as { type?: unknown } | null)?.type;
  const shape = typeof type === 'string' && Object.hasOwn(SINKS, type) ? SINKS[type as keyof typeof SINKS] : null;
  if (!shape) return [`"type" must be one of ${Object.keys(SINKS).join(', ')}`];
  if (!Value.Check(shape, item)) {
    const places = new Map<string, string>();
    for (const { keyword, instancePath, message, params } of Value.Errors(shape, item)) {
      if (keyword === 'additionalProperties') continue;
      const name = instancePath.slice(1).replaceAll('/', '.');
      const missing = (params as { requiredProperties?: readonly string[] }).requiredProperties?.join(', ');
      const text = missing ? `"${missing}" is missing` : `"${name}" ${WORDS[keyword] ?? message}`;
      if (!places.has(name)) places.set(name, text);
    }
    return [...places.values()];
  }
  const { time_zone } = item as SinkRules;
  return time_zone !== undefined && !isTimeZone(time_zone) ? [`"time_zone" ${time_zone} is not known`] : [];
}

function notifierOf(sink: SinkShape, environment: (name: string) => string | undefined): Notifier {
  const secret = (name: string): string => {
    const value = environment(name)?.trim();
    if (!value) throw new Error(`the environment variable ${name} is not set`);
    return value;
  };
  const address = (name: string): string => {
    const value = secret(name);
    if (!isUrl(value)) throw new Error(`the environment variable ${name} is not an address, as https://…`);
    return value;
  };
  switch (sink.type) {
    case 'webhook':
      if (!isUrl(sink.url)) throw new Error('"url" must be an address, as https://…');
      return webhook({ url: sink.url, secret: sink.secret_env === undefined ? null : secret(sink.secret_env) });
    case 'slack':
      return slack({ url: address(sink.url_env) });
    case 'discord':
      return discord({ url: address(sink.url_env) });
    case 'telegram': {
      const { chat, server } = sink;
      return telegram({ token: secret(sink.token_env), chat, ...(server === undefined ? {} : { server }) });
    }
    default:
      return sink satisfies never;
  }
}

function isUrl(value: unknown): boolean {
  return typeof value === 'string' && URL.canParse(value) && /^https?:$/.test(new URL(value).protocol);
}

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en-GB', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}
