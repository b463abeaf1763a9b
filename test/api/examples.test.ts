/** Every line of the document, pasted into a shell: or the first thing that a user tries would fail. */
import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type Served, startServer } from './server.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const hasCurl = spawnSync('curl', ['--version']).status === 0;
const skip = hasCurl ? false : 'the examples are lines for curl, which is not installed';
let served: Served;
before(async () => {
  served = await startServer();
});
after(() => served.close());

interface Operation {
  readonly description?: string;
}

test('each operation has an example, and it works when pasted', { skip }, async () => {
  const document = (await (await fetch(`${served.url}/openapi.json`)).json()) as {
    readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  };
  const operations = Object.entries(document.paths).flatMap(([path, its]) =>
    Object.entries(its).map(([method, { description }]) => ({ name: `${method} ${path}`, description })),
  );
  assert.ok(operations.length > 30);
  const failed = await Promise.all(
    operations.map(async ({ name, description }) => {
      const line = /```\n(.*)\n```$/.exec(description ?? '')?.[1];
      if (!line) return `${name} has no example`;
      const { said, status } = await paste(line);
      return status === '200' ? [] : `${name}: ${status} ${said.slice(0, 300)}`;
    }),
  );
  assert.deepEqual(failed.flat(), []);
});

function paste(line: string): Promise<{ said: string; status: string }> {
  const here = line.replace('http://127.0.0.1:8080', served.url);
  return new Promise((resolve) => {
    execFile('bash', ['-c', `${here} -w '\n%{http_code}'`], { cwd: ROOT, maxBuffer: 1 << 26 }, (_, stdout) => {
      const at = stdout.lastIndexOf('\n');
      resolve({ said: stdout.slice(0, at), status: stdout.slice(at + 1) });
    });
  });
}
