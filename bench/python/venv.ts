/**
 * A virtual environment with the packages of requirements.txt, made once in the user's cache folder, or the sentence why
 * there is none. Nothing here is needed to build, test or run Tapewatch itself.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

export type Python = { readonly path: string } | { readonly missing: string };

const REQUIREMENTS = new URL('requirements.txt', import.meta.url).pathname;

/** `requirements`: a pip requirements file; another file is another environment. */
export function pythonWith(requirements: string = REQUIREMENTS): Python {
  const version = createHash('sha256').update(readFileSync(requirements)).digest('hex').slice(0, 12);
  const cache = process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache');
  const folder = join(cache, 'tapewatch', `python-${version}`);
  const path = join(folder, 'bin', 'python');
  if (existsSync(path)) return { path };
  const making = `${folder}.${process.pid}`;
  try {
    mkdirSync(join(cache, 'tapewatch'), { recursive: true });
    execFileSync('python3', ['-m', 'venv', making], { stdio: 'pipe' });
    execFileSync(join(making, 'bin', 'python'), ['-m', 'pip', 'install', '--quiet', '--requirement', requirements], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    // The interpreter finds its packages beside itself, so the folder may move.
    if (!existsSync(folder)) renameSync(making, folder);
    return { path };
  } catch (cause) {
    const said = String((cause as { stderr?: Buffer }).stderr ?? (cause as Error).message).trim();
    return { missing: `needs python3 with venv and the packages of bench/python: ${said.split('\n').at(-1)}` };
  } finally {
    rmSync(making, { recursive: true, force: true });
  }
}
