/** The Open Inference Protocol with NVIDIA's own client, which we did not write: or users of KServe and Triton could not switch. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { pythonWith } from '../../bench/python/venv.ts';
import { type Served, startServer } from '../api/server.ts';

const python = pythonWith();
const skip = 'missing' in python ? `tritonclient ${python.missing}` : false;
let served: Served;
before(async () => {
  served = await startServer();
});
after(() => served.close());

test('tritonclient’s health, metadata, inference, JSON and binary, and its errors', { skip }, async () => {
  assert.ok('path' in python);
  const script = new URL('inference_peer.py', import.meta.url).pathname;
  const { stdout } = await promisify(execFile)(python.path, [script, new URL(served.url).host]);
  const said = JSON.parse(stdout);
  assert.deepEqual([said.live, said.ready, said.model_ready], [true, true, [true, true, false]]);
  assert.equal(said.server.name, 'tapewatch');
  assert.deepEqual(said.metadata.inputs, [{ name: 'rows', datatype: 'FP64', shape: [-1, 3] }]);
  assert.deepEqual(said.metadata.parameters.features, ['a', 'b', 'c']);
  const ours = [...served.forest.score(Float64Array.from(said.probe))];
  assert.deepEqual(said.binary, ours);
  assert.deepEqual(said.asynchronous, ours);
  assert.deepEqual(said.json, ours);
  assert.deepEqual(
    said.anomaly,
    ours.map((score) => score > served.forest.threshold),
  );
  assert.deepEqual(said.response, { id: 'seven', model_name: 'small', model_version: '1' });
  assert.equal(said.detector.forest.length, 2);
  assert.deepEqual(
    said.refused.map(({ status }: { status: string }) => status),
    ['404', '404', '400', '400', '400'],
  );
  assert.match(said.refused[2].message, /2 columns instead of 3/);
  assert.match(said.refused[3].message, /row 0, column 0 is not finite/);
  assert.match(said.refused[4].message, /no output colour/);
});

test('the lines of docs/api.md for it work when pasted', { skip }, async () => {
  assert.ok('path' in python);
  const document = readFileSync(new URL('../../docs/api.md', import.meta.url), 'utf8');
  const lines = /^```python\n(.*?)^```$/ms.exec(document)![1]!.replace('127.0.0.1:8080', new URL(served.url).host);
  const { stdout } = await promisify(execFile)(python.path, ['-c', lines]);
  assert.equal(stdout.match(/0\.\d+/g)?.length, 64, stdout);
});
