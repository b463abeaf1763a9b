/** `tapewatch start`: the live market of Binance, everything in one process. */
import { REST_ENDPOINTS, WS_ENDPOINTS } from '../exchange/binance/endpoints.ts';
import { readSettings } from '../settings.ts';
import { runLive } from './live.ts';
import { optionsByKey } from './options.ts';
import type { PolicyOptions } from './policy.ts';

export interface StartCommand extends PolicyOptions {
  readonly symbols?: string;
  readonly data?: string;
  readonly port?: string;
  readonly host?: string;
  readonly wsUrl?: string;
  readonly restUrl?: string;
  readonly history?: string;
  readonly notify?: string;
  readonly json?: boolean;
}

export function settingsOf(options: StartCommand): ReturnType<typeof readSettings> {
  return readSettings(optionsByKey({ ...options }));
}

export async function runStart(options: StartCommand, version: string): Promise<void> {
  const values = settingsOf(options);
  const ws = values['ws-url'] as readonly string[];
  const rest = values['rest-url'] as readonly string[];
  await runLive({
    values,
    version,
    policy: options,
    wsEndpoints: ws.length > 0 ? ws : WS_ENDPOINTS,
    restEndpoints: rest.length > 0 ? rest : REST_ENDPOINTS,
    symbols: (values['symbols'] as readonly string[]).map((symbol) => symbol.toUpperCase()),
    json: options.json ?? false,
    hint: '"tapewatch demo" shows a simulated market without a network.',
  });
}
