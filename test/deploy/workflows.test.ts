/**
 * The workflows, which can’t run here. Lost if this fails: a release that GitHub refuses, or one that somebody else’s moved tag
 * takes part in.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { actionlintTool, shellcheckTool } from './tools.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const files = globSync(join(ROOT, '.github/workflows/*.yml'));
const [actionlint, shellcheck] = [actionlintTool(), shellcheckTool()];

test('actionlint, with shellcheck, finds nothing in the workflows', {
  skip: actionlint.missing ?? shellcheck.missing ?? false,
}, () => {
  assert.ok(files.length > 0);
  const args = ['-shellcheck', join(shellcheck.dir!, 'shellcheck'), ...files];
  try {
    execFileSync(join(actionlint.dir!, 'actionlint'), args, { encoding: 'utf8', stdio: 'pipe' });
  } catch (error) {
    assert.fail((error as { stdout: string }).stdout);
  }
});

test('workflows name other people’s actions by commit, begin with no right but to read, and run scripts that there are', () => {
  const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as {
    scripts: Readonly<Record<string, string>>;
  };
  for (const file of files) {
    const text = readFileSync(file, 'utf8');
    for (const [, action] of text.matchAll(/uses: (\S+)/g))
      assert.match(action!, /^\.\/|^[\w-]+\/[\w-]+@[0-9a-f]{40}$/, `${file}: ${action}`);
    assert.match(text, /^permissions:\n {2}contents: read\n\n/m, file);
    for (const [, name] of text.matchAll(/npm run ([\w:-]+)/g)) assert.ok(scripts[name!], `${file}: npm run ${name}`);
  }
});

test('ci runs every suite that .ci/run does, but for the cluster, whose servers it would have to build', () => {
  const suites = (file: string): string[] =>
    [...new Set(readFileSync(join(ROOT, file), 'utf8').match(/\bnpm (?:run )?test(?::\w+)?/g))].sort();
  assert.deepEqual(
    suites('.github/workflows/ci.yml').filter((name) => !name.endsWith(':deploy')),
    suites('.ci/run').filter((name) => !/:(deploy|cluster)$/.test(name)),
  );
});
