/** The cluster's API, from within its network namespace. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { type RequestOptions, request } from 'node:https';
import { join } from 'node:path';
import { processClock } from '../../src/transport/network.ts';

/** Where the node, the API server and all that the tests start listen; control-plane.sh has the same. */
export const NODE = '10.123.0.1';

export interface Container {
  readonly restartCount: number;
  readonly ready: boolean;
  readonly state: { readonly running?: { readonly startedAt: string } };
  readonly containerID?: string;
}

export interface Pod {
  readonly metadata: { readonly name: string; readonly uid: string; readonly deletionTimestamp?: string };
  readonly spec: { readonly containers: readonly { readonly image: string }[] };
  readonly status: {
    readonly phase: string;
    readonly podIP?: string;
    readonly containerStatuses?: readonly Container[];
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
}

export interface Kube {
  /** An object or a list by its path below the server. */
  get<T>(path: string): Promise<T>;
  pods(component: string): Promise<readonly Pod[]>;
  /** `input` goes to its stdin. @throws with what it said on stderr. */
  kubectl(args: readonly string[], input?: string): Promise<string>;
}

/** @param folder of control-plane.sh @param kubectl the command */
export function openKube(folder: string, kubectl: string): Kube {
  const pki = (name: string): Buffer => readFileSync(join(folder, 'pki', name));
  const login = { ca: pki('ca.crt'), cert: pki('admin.crt'), key: pki('admin.key') };
  const get = async <T>(path: string): Promise<T> =>
    JSON.parse(await answerOf({ host: NODE, port: 6443, path, ...login })) as T;
  return {
    get,
    async pods(component) {
      const selector = encodeURIComponent(`app.kubernetes.io/component=${component}`);
      const list = await get<{ items: Pod[] }>(`/api/v1/namespaces/default/pods?labelSelector=${selector}`);
      return list.items.filter(({ metadata }) => metadata.deletionTimestamp === undefined);
    },
    kubectl: (args, input = '') =>
      new Promise((resolve, reject) => {
        const all = ['--kubeconfig', join(folder, 'admin.conf'), ...args];
        const child = execFile(kubectl, all, { maxBuffer: 1 << 26 }, (error, stdout, stderr) =>
          error ? reject(new Error(`kubectl ${args.join(' ')}: ${stderr || error.message}`)) : resolve(stdout),
        );
        child.stdin?.end(input);
      }),
  };
}

export function isReady({ status }: Pod): boolean {
  return status.conditions?.some(({ type, status: is }) => type === 'Ready' && is === 'True') ?? false;
}

/** Asks until `found` gives something, every `pause_ms`, and how many seconds that took. @throws after `within` s, with `what`. */
export async function until<T>(
  what: string,
  within: number,
  found: () => Promise<T | null | undefined | false>,
  pause_ms = 250,
): Promise<{ readonly value: T; readonly seconds: number }> {
  const began = performance.now();
  for (let last = ''; ; ) {
    try {
      const value = await found();
      if (value) return { value, seconds: Math.round((performance.now() - began) / 100) / 10 };
    } catch (error) {
      last = `: ${(error as Error).message}`;
    }
    if (performance.now() - began > within * 1000) throw new Error(`Not within ${within} s: ${what}${last}`);
    await processClock.sleep(pause_ms);
  }
}

function answerOf(options: RequestOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    const asked = request({ ...options, timeout: 10_000 }, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('end', () => {
        const body = Buffer.concat(parts).toString();
        if (response.statusCode === 200) resolve(body);
        else reject(new Error(`${options.path} answered ${response.statusCode}: ${body.slice(0, 300)}`));
      });
    });
    asked.on('timeout', () => asked.destroy(new Error(`${options.path} did not answer.`)));
    asked.on('error', reject);
    asked.end();
  });
}
