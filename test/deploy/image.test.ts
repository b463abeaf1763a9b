/**
 * The image as a real Docker builds and runs it. Lost if this fails: a container that runs as root or needs to write where it
 * may not, that a stop kills after its grace instead of ending it, that is called healthy while it hangs, or that carries what
 * no process reads.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { after, before, describe, type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { processClock } from '../../src/transport/network.ts';
import { type Docker, noDocker, someDocker } from './docker.ts';
import { bases, tapewatchImage } from './images.ts';

/** As a careful operator runs it: nothing may be written but /tmp and /data, no right is left, none can be had. */
const HARDENED = [
  ...['--read-only', '--tmpfs', '/tmp:size=64m', '--tmpfs', '/data:size=256m,uid=10001,gid=10001'],
  ...['--cap-drop', 'ALL', '--security-opt', 'no-new-privileges', '--memory', '768m', '--pids-limit', '100'],
];
/** Layers of our own: with more, something got in that should not have. */
const NODE_BYTES_MAX = 135e6;
const OURS_BYTES_MAX = 50e6;

interface Inspected {
  readonly Id: string;
  readonly Size: number;
  readonly Config: {
    readonly User: string;
    readonly StopSignal: string;
    readonly Healthcheck: { readonly Test: readonly string[] };
    readonly Labels: Readonly<Record<string, string>>;
  };
  readonly State: {
    readonly Status: string;
    readonly ExitCode: number;
    readonly OOMKilled: boolean;
    readonly Health?: { readonly Status: string };
  };
}

interface LockFile {
  readonly packages: Readonly<
    Record<string, { dev?: boolean; link?: boolean; os?: string[]; cpu?: string[]; libc?: string[] }>
  >;
}

describe('the image', { skip: noDocker() ?? false }, () => {
  const containers: string[] = [];
  let docker: Docker;
  let image: string;
  let standIn = false;

  before(async () => {
    docker = await someDocker();
    image = tapewatchImage(docker, 'tapewatch:image-test', [
      ...['--build-arg', 'REVISION=0123abc', '--build-arg', 'CREATED=2026-01-05T00:00:00Z'],
    ]);
    standIn = bases(docker).standIn;
  });

  after(async () => {
    if (!docker) return;
    for (const id of containers) docker.run('rm', '-f', '-v', id);
    docker.run('image', 'rm', '-f', 'tapewatch:image-test');
    await docker.stop();
  });

  /** Starts a container in the background, and gives its id. */
  function start(options: readonly string[], ...command: readonly string[]): string {
    const id = docker.run('run', '-d', ...HARDENED, ...options, image, ...command).trim();
    containers.push(id);
    return id;
  }

  function inspect(id: string): Inspected {
    return (JSON.parse(docker.run('inspect', id)) as Inspected[])[0]!;
  }

  /** What Node prints for a program in a new container. */
  function program(code: string): string {
    return docker.run('run', '--rm', ...HARDENED, '--entrypoint', 'node', image, '-e', code).trim();
  }

  async function until(what: string, within_s: number, id: string, done: () => boolean): Promise<void> {
    for (const end = Date.now() + within_s * 1000; !done(); await processClock.sleep(250)) {
      if (Date.now() > end || inspect(id).State.Status === 'exited')
        assert.fail(
          `${what}: not within ${within_s} s. ${JSON.stringify(inspect(id).State)} ${docker.run('logs', '--tail', '20', id)}`,
        );
    }
  }

  /** `docker stop`, and what became of the process. */
  async function stopped(id: string, grace_s: number): Promise<number> {
    await promisify(execFile)('docker', ['stop', '-t', String(grace_s), id], {
      env: { ...process.env, ...docker.environment },
    });
    return inspect(id).State.ExitCode;
  }

  test('says in its configuration whose it is, who it runs as and how it is stopped and asked', () => {
    const { Config } = inspect(image);
    assert.deepEqual(
      [Config.User, Config.StopSignal, Config.Healthcheck.Test],
      ['10001:10001', 'SIGTERM', ['CMD', 'node', '/app/healthcheck.mjs']],
    );
    const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
      version: string;
    };
    const labels = Object.fromEntries(
      Object.entries(Config.Labels).map(([key, text]) => [key.replace('org.opencontainers.image.', ''), text]),
    );
    const { title, licenses, revision, created } = labels;
    assert.deepEqual(
      [title, licenses, labels['version'], revision, created],
      ['Tapewatch', 'Apache-2.0', version, '0123abc', '2026-01-05T00:00:00Z'],
    );
  });

  test('demo finds an anomaly as an unprivileged user on a read-only file system, is healthy, and stops in order', async () => {
    const id = start(['--health-interval=2s'], 'demo', '--json', '--speed', '2');
    await until('an anomaly', 120, id, () => /^\{"id":"\w+:market:/m.test(docker.run('logs', id)));
    await until('healthy', 30, id, () => inspect(id).State.Health?.Status === 'healthy');
    const status = docker.run('exec', id, 'cat', '/proc/1/status');
    assert.match(status, /^Uid:\t10001\t10001\t10001\t10001$/m);
    assert.match(status, /^CapEff:\t0+$/m);
    assert.match(status, /^NoNewPrivs:\t1$/m);
    assert.throws(() => docker.run('exec', id, 'touch', '/app/models/mine'), /Read-only file system/);
    assert.equal(await stopped(id, 20), 0, 'SIGTERM ends it before the grace is over');
    assert.equal(inspect(id).State.OOMKilled, false);
  });

  test('SIGTERM ends at once what has no handler of its own, though it is the first process', async () => {
    const silent = `node -e "require('node:net').createServer(() => {}).listen(9092)" &`;
    const waits = 'sleep 1; exec node /app/entrypoint.mjs topics --kafka 127.0.0.1:9092';
    const id = start(['--entrypoint', 'sh'], '-c', `${silent} ${waits}`);
    await processClock.sleep(4000);
    assert.equal(inspect(id).State.Status, 'running', 'it waits for a broker that says nothing');
    assert.equal(await stopped(id, 20), 143);
  });

  test('HEALTHCHECK tells a process that hangs, and one that goes on', async () => {
    const id = start(['--health-interval=1s', '--health-timeout=3s', '--health-retries=2'], 'demo', '--json');
    const health = (): string | undefined => inspect(id).State.Health?.Status;
    await until('healthy', 60, id, () => health() === 'healthy');
    docker.run('kill', '-s', 'STOP', id);
    await until('unhealthy', 60, id, () => health() === 'unhealthy');
    docker.run('kill', '-s', 'CONT', id);
    await until('healthy again', 60, id, () => health() === 'healthy');
    assert.equal(await stopped(id, 20), 0);
  });

  test('a folder that it may not write is said in a sentence, not as a trace', () => {
    assert.throws(
      () =>
        docker.run('run', '--rm', '--read-only', image, 'start', '--data', '/nowhere', '--ws-url', 'ws://127.0.0.1:1'),
      ({ stderr }: { stderr: string }) => /nowhere/.test(stderr) && !/^\s+at /m.test(stderr),
    );
  });

  test('holds the production dependencies of the lock file and no other package, no sources, no tests, no npm', () => {
    const listed = program(
      `const fs = require('node:fs'), found = [];
       for (const file of fs.globSync('/app/node_modules/**/package.json')) {
         const at = /^\\/app\\/((?:node_modules\\/(?:@[^/]+\\/)?[^/]+\\/?)+)\\/package\\.json$/.exec(file);
         if (at) found.push(at[1]);
       }
       console.log(JSON.stringify(found.sort()))`,
    );
    const lock = JSON.parse(readFileSync(new URL('../../package-lock.json', import.meta.url), 'utf8')) as LockFile;
    const here = (list: readonly string[] | undefined, value: string): boolean => !list || list.includes(value);
    const wanted = Object.entries(lock.packages)
      .filter(
        ([path, { dev, link, os, cpu, libc }]) =>
          path.startsWith('node_modules/') &&
          !dev &&
          !link &&
          here(os, 'linux') &&
          here(cpu, process.arch) &&
          here(libc, 'glibc'),
      )
      .map(([path]) => path)
      .sort();
    assert.deepEqual(JSON.parse(listed), wanted);
    const app = JSON.parse(program(`console.log(JSON.stringify(require('node:fs').readdirSync('/app')))`)) as string[];
    assert.deepEqual(app.sort(), [
      'bin',
      'dist',
      'entrypoint.mjs',
      'healthcheck.mjs',
      'models',
      'node_modules',
      'package.json',
    ]);
    const sources = program(
      `console.log(JSON.stringify(require('node:fs').globSync('/app/{bin,dist,models}/**/*.{ts,map}')))`,
    );
    assert.equal(sources, '[]');
    assert.throws(() => docker.run('run', '--rm', '--entrypoint', 'npm', image), /executable file not found/);
  });

  test('is small, and says of what', (t: TestContext) => {
    const layers = docker
      .run('history', '--no-trunc', '--human=false', '--format', '{{.Size}} {{.CreatedBy}}', image)
      .trim()
      .split('\n')
      .map((line) => ({ bytes: Number(line.split(' ', 1)[0]), by: line.slice(line.indexOf(' ') + 1) }));
    const of = (pattern: RegExp): number => layers.find(({ by }) => pattern.test(by))!.bytes;
    const [node, ours] = [of(/^COPY \/node\/ /), of(/^COPY \/tapewatch\/ /)];
    const { Size } = inspect(image);
    const parts = JSON.parse(
      program(
        `const fs = require('node:fs'), path = require('node:path'), sizes = {};
         const size = (at) => fs.statSync(at).isDirectory() ? fs.readdirSync(at).reduce((sum, name) => sum + size(path.join(at, name)), 0) : fs.statSync(at).size;
         for (const name of fs.readdirSync('/app')) sizes[name] = size('/app/' + name);
         const modules = fs.readdirSync('/app/node_modules').map((name) => [name, size('/app/node_modules/' + name)]).sort((a, b) => b[1] - a[1]);
         console.log(JSON.stringify({ sizes, largest: modules.slice(0, 6) }))`,
      ),
    ) as { sizes: Record<string, number>; largest: [string, number][] };
    const mb = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;
    const all = (pairs: readonly (readonly [string, number])[]): string =>
      pairs.map(([name, bytes]) => `${name} ${mb(bytes)}`).join(', ');
    t.diagnostic(
      `image: ${mb(Size)} unpacked: base ${mb(Size - node - ours)}${standIn ? ' (a minimal Debian made here in the place of debian:…-slim)' : ''}, Node ${mb(node)}, Tapewatch ${mb(ours)}`,
    );
    t.diagnostic(`of Tapewatch: ${all(Object.entries(parts.sizes).sort((a, b) => b[1] - a[1]))}`);
    t.diagnostic(`of node_modules: ${all(parts.largest)}`);
    assert.ok(node < NODE_BYTES_MAX && ours < OURS_BYTES_MAX, `${mb(node)} and ${mb(ours)}`);
  });
});
