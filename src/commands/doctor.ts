/** `tapewatch doctor`: checks settings, model, disk, exchange and clock, and says what to do. */
import { statfsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { REST_ENDPOINTS } from '../exchange/binance/endpoints.ts';
import { createNetworkTransport } from '../transport/network.ts';
import { print } from './output.ts';
import { policyOf } from './policy.ts';
import { type StartCommand, settingsOf } from './start.ts';

interface Finding {
  readonly what: string;
  readonly ok: boolean;
  readonly detail: string;
}

const FREE_BYTES_MIN = 1 << 30;
const CLOCK_OFF_MS_MAX = 2000;

export async function runDoctor(options: StartCommand): Promise<void> {
  const findings = [checkSettings(options), checkDisk(options), await checkExchange(options)];
  if (options.json) await print(`${JSON.stringify(findings)}\n`);
  else
    for (const { what, ok, detail } of findings) await print(`${ok ? 'ok  ' : 'BAD '} ${what.padEnd(10)} ${detail}\n`);
  if (findings.some(({ ok }) => !ok)) process.exitCode = 1;
}

function attempt(what: string, check: () => string): Finding {
  try {
    return { what, ok: true, detail: check() };
  } catch (error) {
    return { what, ok: false, detail: error instanceof Error ? error.message : String(error) };
  }
}

function checkSettings(options: StartCommand): Finding {
  return attempt('settings', () => {
    const values = settingsOf(options);
    const { artefact, settings } = policyOf(options);
    return `${(values['symbols'] as readonly string[]).length} symbols, budget ${settings.budget}, model ${artefact.id.slice(0, 19)}`;
  });
}

function checkDisk(options: StartCommand): Finding {
  return attempt('disk', () => {
    const dir = resolve(settingsOf(options)['data'] as string);
    const { bavail, bsize } = statfsSync(dirname(dir));
    const free = bavail * bsize;
    const told = `${(free / 2 ** 30).toFixed(1)} GiB free for ${dir}`;
    if (free < FREE_BYTES_MIN) throw new Error(`${told}: make room, or choose another folder with --data`);
    return told;
  });
}

async function checkExchange(options: StartCommand): Promise<Finding> {
  const transport = createNetworkTransport();
  try {
    const given = settingsOf(options)['rest-url'] as readonly string[];
    const [endpoint] = given.length > 0 ? given : REST_ENDPOINTS;
    const before = transport.now();
    const { body } = await transport.request({ url: `${endpoint}/api/v3/time`, timeoutMs: 5000 });
    const { serverTime } = JSON.parse(new TextDecoder().decode(body)) as { serverTime: number };
    const now = transport.now();
    const off = Math.round((before + now) / 2 - serverTime);
    const clock = Math.abs(off) > CLOCK_OFF_MS_MAX ? '; set the clock (NTP): alerts are labelled late by it' : '';
    return {
      what: 'exchange',
      ok: clock === '',
      detail: `${endpoint} answers in ${now - before} ms, clock ${off} ms off${clock}`,
    };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return { what: 'exchange', ok: false, detail: `${reason} Check the network; "tapewatch demo" needs none.` };
  } finally {
    await transport.close();
  }
}
