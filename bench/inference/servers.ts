/** The two that are compared, each started as its users start it, serving one model. */
import { execFileSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { IsolationForest } from 'tapewatch/forest';
import type { Random } from '../../src/market/random.ts';
import { modelFromOnnx } from '../../src/model/scoring-model.ts';
import { freePort, type Running, started, tapewatch } from '../../test/deploy/observed.ts';
import { pythonWith } from '../python/venv.ts';
import { type Posted, requestOf } from './load.ts';

export const COLUMNS = 8;
const TRAINED_ROWS = 4096;
const PEER = fileURLToPath(new URL('../../../shared/peers/python/', import.meta.url));

/** With six decimals, as the peer's own harness sends them. */
export type Row = readonly number[];

/** One way to ask one server for the scores of some rows. */
export interface Target {
  readonly name: string;
  readonly server: Running;
  request(rows: readonly Row[]): Buffer;
  /** As the server gives them. */
  scores(rows: readonly Row[]): Promise<readonly number[]>;
}

export interface Servers {
  /** The peer first. */
  readonly targets: readonly Target[];
  stop(): Promise<void>;
}

/** 100 trees of 256 rows of noise, served as `bench`. */
export function forestOf(random: Random): IsolationForest {
  const rows = Float32Array.from(rowsOf(random, TRAINED_ROWS).flat());
  return IsolationForest.fit(rows, {
    features: COLUMNS,
    trees: 100,
    sampleSize: 256,
    seed: 1,
  });
}

export function rowsOf(random: Random, count: number): Row[] {
  const value = (): number => Math.round((random.next() + random.next() + random.next() - 1.5) * 1e6) / 1e6;
  return Array.from({ length: count }, () => Array.from({ length: COLUMNS }, value));
}

/** Why there is no peer, or the interpreter that has what it needs. */
export function peerPython(): ReturnType<typeof pythonWith> {
  if (!existsSync(PEER)) return { missing: 'the peer of ../shared/peers is absent' };
  return pythonWith(join(PEER, 'requirements.txt'));
}

/**
 * `tapewatch start` whole, one simulated symbol streaming through it, and the peer with one uvicorn worker. `folder` takes
 * what they write.
 */
export async function startServers(folder: string, python: string, forest: IsolationForest): Promise<Servers> {
  const onnx = join(folder, 'forest.onnx');
  const artefact = join(folder, 'model.joblib');
  writeFileSync(onnx, forest.toONNX());
  const script = fileURLToPath(new URL('peer.py', import.meta.url));
  const quiet = { PYTHONDONTWRITEBYTECODE: '1' };
  execFileSync(python, [script, onnx, PEER, artefact], { env: { ...process.env, ...quiet } });
  const running: Running[] = [];
  const stop = async (): Promise<void> => {
    await Promise.all(running.map((server) => server.stop()));
  };
  try {
    const market = await tapewatch(['simulate', '--port', '0', '--symbols', '1']);
    running.push(market);
    const { ws, rest, symbols } = JSON.parse(market.said().split('\n')[0]!) as Record<string, string>;
    const exchange = ['--ws-url', ws!, '--rest-url', rest!, '--symbols', String(symbols), '--history', '0'];
    const ours = await tapewatch(['start', ...exchange, '--data', join(folder, 'data'), '--port', '0', '--json']);
    running.push(ours);
    const kept = await fetch(`${ours.address}/v1/models/bench`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json' },
      body: modelFromOnnx(forest.toONNX(), 'npm run bench:inference'),
    });
    if (!kept.ok) throw new Error(await kept.text());
    const port = await freePort();
    const uvicorn = ['-m', 'uvicorn', 'api:app', '--app-dir', PEER, '--port', String(port), '--workers', '1'];
    const env = { ...quiet, MODEL: artefact, SCORER: 'onnx' };
    const peer = await started(python, [...uvicorn, '--no-access-log'], env, /http:\/\/[\d.]+:\d+/);
    running.push(peer);
    return {
      targets: [fastApi(peer), tensors(ours), binaryTensors(ours), named(ours, false), named(ours, true)],
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

const json = (value: unknown): Posted => ({
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(value),
});

function fastApi(server: Running): Target {
  return target({
    name: 'FastAPI + ONNX Runtime, /predict',
    server,
    path: '/predict',
    posted: (rows) => json(rows.length === 1 ? { features: rows[0] } : { rows }),
    scores: async (answer) => ((await answer.json()) as { scores: number[] }).scores,
  });
}

const INFER = '/v2/models/bench/infer';
const tensor = (rows: readonly Row[]) => ({ name: 'rows', shape: [rows.length, COLUMNS], datatype: 'FP32' });

function tensors(server: Running): Target {
  return target({
    name: 'tapewatch, /v2/…/infer, JSON',
    server,
    path: INFER,
    posted: (rows) => json({ inputs: [{ ...tensor(rows), data: rows.flat() }] }),
    scores: async (answer) => ((await answer.json()) as { outputs: { data: number[] }[] }).outputs[0]!.data,
  });
}

/** As tritonclient sends and wants them unless told otherwise. */
function binaryTensors(server: Running): Target {
  return target({
    name: 'tapewatch, /v2/…/infer, binary tensors',
    server,
    path: INFER,
    posted(rows) {
      const bytes = Buffer.from(Float32Array.from(rows.flat()).buffer);
      const input = { ...tensor(rows), parameters: { binary_data_size: bytes.length } };
      const head = Buffer.from(JSON.stringify({ inputs: [input], parameters: { binary_data_output: true } }));
      const headers = { 'inference-header-content-length': String(head.length) };
      return { headers, body: Buffer.concat([head, bytes]) };
    },
    async scores(answer) {
      const begin = Number(answer.headers.get('inference-header-content-length'));
      const bytes = await answer.arrayBuffer();
      const { outputs } = JSON.parse(Buffer.from(bytes, 0, begin).toString()) as { outputs: { shape: number[] }[] };
      return [...new Float64Array(bytes.slice(begin, begin + 8 * outputs[0]!.shape[0]!))];
    },
  });
}

function named(server: Running, contributions: boolean): Target {
  return target({
    name: `tapewatch, /v1/score${contributions ? ' with contributions' : ''}`,
    server,
    path: '/v1/score',
    posted(rows) {
      const byName = rows.map((row) => Object.fromEntries(row.map((x, i) => [`x${i}`, x])));
      return json({ model: 'bench', contributions, rows: byName });
    },
    scores: async (answer) => ((await answer.json()) as { items: { score: number }[] }).items.map(({ score }) => score),
  });
}

interface Way {
  readonly name: string;
  readonly server: Running;
  readonly path: string;
  readonly posted: (rows: readonly Row[]) => Posted;
  readonly scores: (answer: Response) => Promise<readonly number[]>;
}

function target({ name, server, path, posted, scores }: Way): Target {
  return {
    name,
    server,
    request: (rows) => requestOf(path, posted(rows)),
    async scores(rows) {
      const answer = await fetch(`${server.address}${path}`, { method: 'POST', ...(posted(rows) as RequestInit) });
      if (!answer.ok) throw new Error(`${name}: ${await answer.text()}`);
      return scores(answer);
    },
  };
}
