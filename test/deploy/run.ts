/**
 * Runs the deploy tests: `node test/deploy/run.ts [FILE…]`. One Docker daemon is started for all of them where it can be, and
 * in the end stands what was proved and what was not, with the reason.
 */
import { globSync } from 'node:fs';
import { resolve } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import { fileURLToPath } from 'node:url';
import { noDocker, someDocker } from './docker.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const given = process.argv.slice(2);
const files = given.length > 0 ? given.map((file) => resolve(file)) : globSync(`${ROOT}test/deploy/*.test.ts`).sort();

const missing = noDocker();
if (missing) process.stderr.write(`What needs Docker is skipped: it ${missing}.\n`);
const docker = missing ? null : await someDocker();
if (docker) Object.assign(process.env, docker.environment);

const proved: string[] = [];
const notProved: string[] = [];
const reported: string[] = [];
const tests = run({
  files,
  concurrency: 1,
  forceExit: true,
  timeout: 900_000,
  execArgv: ['--conditions=tapewatch-source'],
});
/** What a test belongs to stands before its name. */
const suites: string[] = [];
tests.on('test:start', ({ name, nesting }) => suites.splice(nesting, suites.length, name));
const inSuite = (name: string, nesting: number): string => [...suites.slice(0, nesting), name].join(': ');
tests.on('test:pass', ({ name, nesting, skip, todo, details }) => {
  if (details.type === 'suite') return;
  const reason = skip ?? todo;
  if (reason === undefined) proved.push(inSuite(name, nesting));
  else notProved.push(`${inSuite(name, nesting)}: ${reason === true ? 'skipped' : reason}`);
});
tests.on('test:diagnostic', ({ message, nesting }) => {
  // The runner's own counts are at the top level as well.
  if (nesting > 0) reported.push(message);
});
tests.on('test:fail', ({ name, nesting, details }) => {
  process.exitCode = 1;
  if (details.type !== 'suite') notProved.push(`${inSuite(name, nesting)}: FAILED`);
});
tests.compose(spec).pipe(process.stdout);
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => void docker?.stop().finally(() => process.exit(1)));
await new Promise((done) => tests.once('end', done));
await docker?.stop();
const list = (title: string, lines: readonly string[]): string =>
  lines.length === 0 ? '' : `\n${title}\n${lines.map((line) => `  ${line}\n`).join('')}`;
process.once('exit', () =>
  process.stdout.write(
    list('Proved here:', proved) + list('Measured here:', reported) + list('Not proved here:', notProved),
  ),
);
