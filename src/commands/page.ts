/**
 * The folder of the built dashboard. In the repository it is built when it is missing or older than its sources, so that
 * a fresh clone and a pull both show the page that belongs to them; the package brings it built.
 */
import { existsSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { say } from './output.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const SOURCES = join(ROOT, 'dashboard');
const BUILT = join(ROOT, 'dist', 'dashboard');

/** null where there is no page and it can't be built: the API answers all the same. */
export async function pageFolder(): Promise<string | null> {
  const index = join(BUILT, 'index.html');
  if (!existsSync(SOURCES)) return existsSync(index) ? BUILT : null;
  if (!existsSync(index) || statSync(index).mtimeMs < newest(SOURCES)) await build();
  return existsSync(index) ? BUILT : null;
}

function newest(folder: string): number {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).reduce(
    (latest, file) => Math.max(latest, statSync(join(folder, file)).mtimeMs),
    0,
  );
}

/** Builds beside the old page and then takes its place, so that another process never serves half of it. */
async function build(): Promise<void> {
  const beside = `${BUILT}.${process.pid}`;
  try {
    const { build: viteBuild } = await import('vite');
    await viteBuild({ root: SOURCES, logLevel: 'error', build: { outDir: beside, emptyOutDir: true } });
    rmSync(BUILT, { recursive: true, force: true });
    renameSync(beside, BUILT);
  } catch (error) {
    rmSync(beside, { recursive: true, force: true });
    const why = error instanceof Error ? error.message.split('\n')[0] : String(error);
    say(
      `The page can't be built (${why}); "npm ci" in the repository brings what it needs. The API answers all the same.`,
    );
  }
}
