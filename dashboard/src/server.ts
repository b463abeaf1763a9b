/** Questions to the server. The page may lie under any path, so addresses are relative to it. */
import { token } from './preferences.ts';

export class ServerError extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export function urlOf(path: string): string {
  return new URL(path, document.baseURI.replace(/#.*/, '')).href;
}

export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return answered<T>(await fetch(urlOf(path), { signal: signal ?? null }));
}

export async function post<T>(path: string, body: unknown): Promise<T> {
  const headers: Record<string, string> = { 'content-type': 'application/json' };
  if (token.value !== '') headers['authorization'] = `Bearer ${token.value}`;
  return answered<T>(await fetch(urlOf(path), { method: 'POST', headers, body: JSON.stringify(body) }));
}

async function answered<T>(answer: Response): Promise<T> {
  if (answer.ok) return answer.status === 204 ? (undefined as T) : ((await answer.json()) as T);
  const problem = (await answer.json().catch(() => ({}))) as { detail?: string };
  throw new ServerError(answer.status, problem.detail ?? `The server answered ${answer.status}.`);
}
