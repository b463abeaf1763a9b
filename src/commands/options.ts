/** Options of the command line from the rows of the settings table, and back. */
import type { Command } from 'commander';
import { SETTINGS } from '../settings.ts';

export type OptionsByName = Readonly<Record<string, unknown>>;

/** Adds an option for each of these settings; secrets have none, others on the machine could read them. */
export function withSettings(command: Command, wanted: (key: string) => boolean): Command {
  for (const { key, unit, why, default: value, secret } of SETTINGS) {
    if (!wanted(key) || secret) continue;
    command.option(`--${key} <${unit}>`, value === '' ? why : `${why} (default: ${value})`);
  }
  return command;
}

/** What commander calls `kafkaTlsCa` is the setting `kafka-tls-ca`. */
export function optionsByKey(options: OptionsByName): Readonly<Record<string, string | undefined>> {
  const given: Record<string, string | undefined> = {};
  for (const { key } of SETTINGS) {
    const value = options[key.replace(/-(\w)/g, (_, letter: string) => letter.toUpperCase())];
    if (typeof value === 'string') given[key] = value;
  }
  return given;
}
