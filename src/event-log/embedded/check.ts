/** Whether a data folder can be read, asked before it is opened. A folder as it was closed is not asked twice. */
import { execFile } from 'node:child_process';
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const PROBE_TIMEOUT_MS = 60_000;
const PROBE = import.meta.url.endsWith('.ts') ? './probe.ts' : './probe.js';

/** Size and time of the database, as they were when it was closed in order. */
function seal(dir: string): string | null {
  const stat = statSync(`${dir}/log/data.mdb`, { throwIfNoEntry: false });
  return stat ? `${stat.size} ${stat.mtimeMs}` : null;
}

/** @throws Error that says what a reader met. */
export async function checkFolder(dir: string): Promise<void> {
  const present = seal(dir);
  if (present === null || present === sealed(dir)) return;
  try {
    await run(process.execPath, [fileURLToPath(new URL(PROBE, import.meta.url)), `${dir}/log`], {
      timeout: PROBE_TIMEOUT_MS,
    });
  } catch (cause) {
    const { signal, stderr } = cause as { signal?: string; stderr?: string };
    const told = stderr?.split('\n').find((line) => /^\w*Error: |Assertion/.test(line));
    throw new Error(signal ? `reading it ends with ${signal}: it is damaged` : (told ?? 'it is damaged'), { cause });
  }
}

/** Marks the folder as closed in order; `unseal` before anything is written. */
export function sealFolder(dir: string): void {
  const present = seal(dir);
  if (present !== null) writeFileSync(`${dir}/closed`, present);
}

export function unsealFolder(dir: string): void {
  rmSync(`${dir}/closed`, { force: true });
}

function sealed(dir: string): string | null {
  try {
    return readFileSync(`${dir}/closed`, 'utf8');
  } catch {
    return null;
  }
}
