/**
 * Runs the deploy tests: `node test/deploy/run.ts [--within SECONDS] [FILE…]`. One Docker daemon is started for all of them
 * where it can be, and in the end stands what was proved and what was not, with the reason. After `--within` no file is begun.
 */
import { globSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type Docker, noDocker, someDocker } from './docker.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
/** First what needs no daemon and says most a second. */
const ORDER = ['static', 'workflows', 'compose-files', 'rules', 'image', 'compose', 'dashboards', 'alerts'];

const { values, positionals } = parseArgs({ options: { within: { type: 'string' } }, allowPositionals: true });
const within_ms = 1000 * Number(values.within ?? Number.POSITIVE_INFINITY);
const place = (file: string): number => ORDER.indexOf(basename(file, '.test.ts'));
const files =
  positionals.length > 0
    ? positionals.map((file) => resolve(file))
    : globSync(`${ROOT}test/deploy/*.test.ts`).sort((a, b) => place(a) - place(b));

const proved: string[] = [];
const measured: string[] = [];
const notProved: string[] = [];

async function daemon(): Promise<Docker | null> {
  let missing = noDocker();
  try {
    if (missing === null) return await someDocker();
  } catch (error) {
    missing = `needs Docker, which could not be started: ${(error as Error).message.split('\n')[0]}`;
  }
  process.stderr.write(`What needs Docker is skipped: it ${missing}.\n`);
  process.env['TAPEWATCH_NO_DOCKER'] = missing!;
  return null;
}

async function runFile(file: string): Promise<void> {
  const tests = run({
    files: [file],
    concurrency: 1,
    forceExit: true,
    timeout: 900_000,
    execArgv: ['--conditions=tapewatch-source'],
  });
  /** What a test belongs to stands before its name. */
  const suites: string[] = [];
  const full = (name: string, nesting: number): string => [...suites.slice(0, nesting), name].join(': ');
  tests.on('test:start', ({ name, nesting }) => suites.splice(nesting, suites.length, name));
  tests.on('test:pass', ({ name, nesting, skip, todo, details }) => {
    if (details.type === 'suite') return;
    const reason = skip ?? todo;
    if (reason === undefined) proved.push(full(name, nesting));
    else notProved.push(`${full(name, nesting)}: ${reason === true ? 'skipped' : reason}`);
  });
  tests.on('test:diagnostic', ({ message, nesting }) => {
    // The runner's own counts are at the top level.
    if (nesting > 0) measured.push(message);
  });
  tests.on('test:fail', ({ name, nesting, details }) => {
    process.exitCode = 1;
    if (details.type !== 'suite') notProved.push(`${full(name, nesting)}: FAILED`);
  });
  tests.compose(spec).pipe(process.stdout, { end: false });
  await new Promise((done) => tests.once('end', done));
}

const docker = await daemon();
if (docker) Object.assign(process.env, docker.environment);
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => void Promise.resolve(docker?.stop()).finally(() => process.exit(1)));
for (const file of files) {
  if (performance.now() < within_ms) await runFile(file);
  else notProved.push(`${basename(file)}: not begun, ${values.within} s were over`);
}
await docker?.stop();
const list = (title: string, lines: readonly string[]): string =>
  lines.length === 0 ? '' : `\n${title}\n${lines.map((line) => `  ${line}\n`).join('')}`;
process.once('exit', () =>
  process.stdout.write(
    list('Proved here:', proved) +
      list('Measured here:', measured) +
      list('Not proved here:', notProved) +
      `\n${Math.round(performance.now() / 1000)} s in all\n`,
  ),
);
