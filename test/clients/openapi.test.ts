/** The document against the server, by schemathesis: what it promises is what comes, and nothing breaks the server. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { pythonWith } from '../../bench/python/venv.ts';
import { startServer } from '../api/server.ts';

const python = pythonWith();
const skip = 'missing' in python ? `schemathesis ${python.missing}` : false;
const EXAMPLES = 20;
const folder = mkdtempSync(join(tmpdir(), 'tapewatch-openapi-'));
after(() => rmSync(folder, { recursive: true }));

test('schemathesis finds nothing', { skip }, async () => {
  assert.ok('path' in python);
  const faults: unknown[] = [];
  const served = await startServer({ failed: (error) => faults.push(error) });
  const { code, said } = await run(python.path, [
    ...['-m', 'schemathesis.cli', '--config-file', new URL('schemathesis.toml', import.meta.url).pathname],
    ...['run', `${served.url}/openapi.json`, '--checks', 'all', '--max-examples', String(EXAMPLES), '--no-color'],
    // A stream has no end: test/api/stream.test.ts reads it.
    ...['--exclude-path', '/v1/stream', '--seed', process.env['TAPEWATCH_SEED'] ?? '1'],
  ]);
  await served.close();
  assert.deepEqual(faults, []);
  assert.equal(code, 0, said);
  assert.match(said, /Tested: 3\d/);
});

function run(path: string, args: readonly string[]): Promise<{ code: number | null; said: string }> {
  return new Promise((resolve) => {
    const child = execFile(path, args, { cwd: folder, maxBuffer: 1 << 26 }, (_, stdout, stderr) =>
      resolve({ code: child.exitCode, said: stdout + stderr }),
    );
  });
}
