/**
 * An update while trades flow: each detect process is replaced by one of a newer build, one after the other; another model is
 * put in force; and each is replaced by one whose snapshots have another format. No trade is lost and none scored twice: what stands
 * on the topics is what one uninterrupted backtest of them gives, byte for byte. TAPEWATCH_CHAOS=full is the full size.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import type { Anomaly } from '../../src/market/records.ts';
import { DEFAULT_MODEL, readArtefactText, sha256 } from '../../src/model/artefact-file.ts';
import { processClock } from '../../src/transport/network.ts';
import { type Cluster, noBroker, someBroker } from './broker.ts';
import { buildWith } from './build.ts';
import { BIN, type Fleet } from './fleet.ts';
import { startRole } from './role.ts';
import { FULL, runScenario, SEED, type Stage } from './scenario.ts';
import { type Lines, wilderModel } from './tape.ts';

const skip = noBroker() ?? false;
const SIZE = FULL
  ? { symbols: 200, trades: 300_000, partitions: 12, rate: 3000 }
  : { symbols: 40, trades: 90_000, partitions: 6, rate: 2000 };
const dir = mkdtempSync(join(tmpdir(), 'tapewatch-update-'));
const NEWER = { file: 'src/commands/detect.ts', from: 'Detecting;', to: 'Detecting anew;' };
/** Its state has one number more. */
const OTHER_FORMAT = { file: 'src/detection/detector.ts', from: '  JUDGE_STATE;', to: '  JUDGE_STATE +\n  1;' };

let cluster: Cluster;
before(async () => {
  if (!skip) cluster = await someBroker();
});
after(async () => {
  rmSync(dir, { recursive: true });
  await cluster?.stop();
});

const modelOf = (path: string): string => sha256(Buffer.from(readArtefactText(path)));

async function activate(path: string, env: Stage['env']): Promise<void> {
  const run = promisify(execFile);
  const options = { env: { ...process.env, ...env } };
  await run(process.execPath, [BIN, 'model', 'import', path, '--name', 'wilder'], options);
  await run(process.execPath, [BIN, 'model', 'activate', 'wilder', '--budget', '24'], options);
}

/** `serve` scores by it once event time has come to the activation. */
async function served(address: string, model: string): Promise<void> {
  for (let waited = 0; ; waited += 200) {
    const { active } = (await (await fetch(`${address}/v1/models`)).json()) as { active: { model: string } };
    if (active.model === model) return;
    assert.ok(waited < 60_000, `serve still has ${active.model} in force`);
    await processClock.sleep(200);
  }
}

test(`an update of model, code and snapshots loses nothing and doubles nothing (seed ${SEED})`, {
  skip,
  timeout: 900_000,
}, async (t) => {
  const [newer, otherFormat] = [
    buildWith(join(dir, 'newer'), [NEWER]),
    buildWith(join(dir, 'other'), [NEWER, OTHER_FORMAT]),
  ];
  const wilder = wilderModel(dir);
  const logs = (fleet: Fleet): string => fleet.names.map((name) => fleet.log(name)).join('');
  await runScenario(t, {
    ...SIZE,
    cluster,
    seed: SEED,
    reference: false,
    ofTopics: true,
    befall: async (fleet, { env, written }) => {
      const serve = await startRole(['serve', '--data', join(dir, 'serve')], env);
      try {
        await written(0.1);
        await fleet.update(newer);
        for (const name of fleet.names) assert.match(fleet.log(name), /Detecting anew/);
        assert.doesNotMatch(logs(fleet), /is rebuilt/, 'what the build before had kept is gone on from');
        // Each symbol has warmed up by then, and some have had their anomalies.
        await written(0.62);
        await activate(wilder, env);
        const began = performance.now();
        await served(serve.address, modelOf(wilder));
        t.diagnostic(`serve scores by the new model ${Math.round(performance.now() - began)} ms after its activation`);
      } finally {
        await serve.stop();
      }
      await fleet.update(otherFormat);
    },
    inTheEnd: (fleet, wanted) => {
      for (let partition = 0; partition < SIZE.partitions; partition++)
        assert.match(
          logs(fleet),
          new RegExp(`The state of partition ${partition} is rebuilt from the log, as the snapshot .* its state has`),
        );
      assert.deepEqual(modelsOf(wanted), new Set([modelOf(DEFAULT_MODEL), modelOf(wilder)]));
    },
  });
});

/** By which the anomalies were found. */
function modelsOf(lines: Lines): ReadonlySet<string> {
  const anomalies = [...lines].flatMap(([name, its]) => (name.startsWith('anomalies') ? its : []));
  return new Set(anomalies.map((line) => (JSON.parse(line) as Anomaly).evidence.model));
}
