/** `tapewatch model … --server URL`: the models of a running server, which has its log to itself. */
import { TapewatchError } from '../market/error.ts';
import type { ActivePointer, ModelVersion } from '../model/registry.ts';
import { readSettings } from '../settings.ts';
import { print } from './output.ts';

interface Served {
  readonly active: { readonly model: string; readonly settings: object };
  readonly items: readonly ServedModel[];
}

interface ServedModel {
  readonly name: string;
  readonly versions: readonly { readonly version: number; readonly model: string; readonly active: boolean }[];
}

/** `NAME`, `NAME@VERSION`; without a reference all. */
export async function showServed(server: string, reference: string | undefined, json: boolean): Promise<void> {
  const [name] = reference?.split('@') ?? [];
  const answer = await ask(server, name === undefined ? '' : `/${encodeURIComponent(name)}`);
  if (json || name !== undefined) {
    await print(`${JSON.stringify(answer, null, json ? 0 : 2)}\n`);
    return;
  }
  const { active, items } = answer as Served;
  for (const { name: its, versions } of items)
    for (const { version, model, active: inForce } of versions)
      await print(`${inForce ? '*' : ' '} ${`${its}@${version}`.padEnd(24)} ${model}\n`);
  await print(`in force: *, with ${JSON.stringify(active.settings)}\n`);
}

export async function putModel(server: string, name: string, text: string): Promise<ModelVersion> {
  return (await ask(server, `/${encodeURIComponent(name)}`, { method: 'PUT', body: text })) as ModelVersion;
}

/** Settings that are not given stay as they are. */
export async function activateOn(
  server: string,
  reference: string,
  given: { readonly budget?: string; readonly closeAfter?: string },
): Promise<ActivePointer> {
  const [name = '', version] = reference.split('@');
  const settings = {
    ...(given.budget === undefined ? {} : { budget: Number(given.budget) }),
    ...(given.closeAfter === undefined ? {} : { close_after_s: Number(given.closeAfter) }),
  };
  const body = JSON.stringify({ ...(version === undefined ? {} : { version: Number(version) }), settings });
  const path = `/${encodeURIComponent(name)}/activate`;
  const { model, from, settings: its } = (await ask(server, path, { method: 'POST', body })) as ActivePointer;
  return { model, settings: its, from };
}

/** @throws TapewatchError with what the server says. */
async function ask(server: string, path: string, request: RequestInit = {}): Promise<unknown> {
  const url = `${server.replace(/\/+$/, '')}/v1/models${path}`;
  const token = readSettings({})['token'] as string;
  const headers = {
    ...(request.body ? { 'content-type': 'application/json' } : {}),
    ...(token ? { authorization: `Bearer ${token}` } : {}),
  };
  const answer = await fetch(url, { ...request, headers }).catch((cause: unknown) => {
    throw new TapewatchError('not_found', `No Tapewatch answers at ${server}: start one, or give its --server.`, {
      cause,
    });
  });
  const said = (await answer.json().catch(() => ({}))) as { detail?: string };
  if (answer.ok) return said;
  throw new TapewatchError(
    answer.status === 404 ? 'not_found' : 'usage',
    `${url} answered ${answer.status}: ${said.detail ?? ''}`,
  );
}
