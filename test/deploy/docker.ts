/**
 * A real Docker for the tests: the one that is there (DOCKER_HOST, or the machine's own), else Debian's, installed and started
 * with a data folder, a socket and addresses of its own, and taken away again with what it put on the host's network. What it
 * built stays in the cache folder.
 */
import { execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  globSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { processClock } from '../../src/transport/network.ts';
import { install, isDebian, unpack } from './debian.ts';
import { NetworkBefore } from './host-network.ts';

/** Where images, layers and tools stay between runs. */
export const CACHE = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'tapewatch-deploy');

const SOCKET = join(CACHE, 'docker.sock');
const PID = join(CACHE, 'docker.pid');
const USERS = join(CACHE, 'users');
const BRIDGE = '172.29.0.1/24';
const POOL = '172.30.0.0/16';
/** Compose with `!reset` and buildx are newer than bookworm's Docker. */
const PLUGINS = { suite: 'trixie', packages: ['docker-compose', 'docker-buildx'] } as const;

export interface Docker {
  /** What a client needs to reach it. */
  readonly environment: Readonly<Record<string, string>>;
  /** What `docker ARGS` prints. @throws with what it said on stderr. */
  run(...args: string[]): string;
  /** The last who used it ends it. */
  stop(): Promise<void>;
}

function answers(environment: NodeJS.ProcessEnv): boolean {
  try {
    execFileSync('docker', ['info'], { stdio: 'ignore', timeout: 20_000, env: environment });
    return true;
  } catch {
    return false;
  }
}

/** Why no Docker can be had here (run.ts says so where it tried); null where one can. */
export function noDocker(): string | null {
  const tried = process.env['TAPEWATCH_NO_DOCKER'];
  if (tried) return tried;
  if (answers(process.env)) return null;
  return isDebian()
    ? null
    : 'needs Docker: start one, or be root on Debian, where the tests install and start their own';
}

export async function someDocker(): Promise<Docker> {
  if (answers(process.env)) return client({}, () => Promise.resolve());
  mkdirSync(USERS, { recursive: true });
  const environment = { DOCKER_HOST: `unix://${SOCKET}`, DOCKER_CONFIG: join(CACHE, 'client') };
  const mine = join(USERS, String(process.pid));
  writeFileSync(mine, '');
  if (!answers({ ...process.env, ...environment })) await start(environment);
  let ended = false;
  return client(environment, async () => {
    if (ended) return;
    ended = true;
    rmSync(mine, { force: true });
    if (globSync(join(USERS, '*')).some((file) => existsSync(`/proc/${file.slice(file.lastIndexOf('/') + 1)}`))) return;
    await end();
  });
}

function client(environment: Readonly<Record<string, string>>, stop: () => Promise<void>): Docker {
  const env = { ...process.env, ...environment };
  return {
    environment,
    run: (...args) =>
      execFileSync('docker', args, { env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], maxBuffer: 1 << 28 }),
    stop,
  };
}

async function start(environment: Readonly<Record<string, string>>): Promise<void> {
  install({
    'docker.io': '/usr/sbin/dockerd',
    debootstrap: '/usr/sbin/debootstrap',
    iptables: '/usr/sbin/iptables',
  });
  havePlugins();
  NetworkBefore.note(join(CACHE, 'network.json'));
  rmSync(PID, { force: true });
  const log = openSync(join(CACHE, 'dockerd.log'), 'w');
  const daemon = spawn(
    'dockerd',
    [
      ...['--data-root', join(CACHE, 'docker'), '--exec-root', join(tmpdir(), 'tapewatch-docker'), '-p', PID],
      ...['-H', `unix://${SOCKET}`, '--bip', BRIDGE, '--default-address-pool', `base=${POOL},size=24`],
      ...['--ip6tables=false', '--storage-driver', 'overlay2'],
    ],
    { detached: true, stdio: ['ignore', log, log] },
  );
  daemon.unref();
  const env = { ...process.env, ...environment };
  for (let i = 0; i < 150 && !answers(env); i++) await processClock.sleep(200);
  if (!answers(env))
    throw new Error(`dockerd did not start: ${readFileSync(join(CACHE, 'dockerd.log'), 'utf8').slice(-1000)}`);
}

function havePlugins(): void {
  const folder = join(CACHE, 'client', 'cli-plugins');
  if (existsSync(join(folder, 'docker-compose'))) return;
  const unpacked = join(CACHE, `plugins.${process.pid}`);
  unpack(PLUGINS.suite, PLUGINS.packages, unpacked);
  mkdirSync(folder, { recursive: true });
  for (const file of globSync(join(unpacked, 'usr/**/cli-plugins/docker-*'))) {
    const to = join(folder, file.slice(file.lastIndexOf('/') + 1));
    copyFileSync(file, to);
    chmodSync(to, 0o755);
  }
  rmSync(unpacked, { recursive: true });
}

async function end(): Promise<void> {
  const pid = existsSync(PID) ? Number(readFileSync(PID, 'utf8')) : 0;
  if (pid > 0) {
    process.kill(pid, 'SIGTERM');
    for (let i = 0; i < 150 && existsSync(`/proc/${pid}`); i++) await processClock.sleep(200);
  }
  NetworkBefore.restore(join(CACHE, 'network.json'));
}
