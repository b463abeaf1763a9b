/** The section on the ten labelled sets of the Isolation Forest paper, against scikit-learn on the same files. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { IsolationForest } from 'tapewatch/forest';
import { DATA } from '../../test/real-data.ts';
import { type Line, line, mean, type Section } from './section.ts';

const SEEDS = 10;
const FOLDER = join(DATA, 'isolation-forest');

export function forestSection(onDone: (done: number, of: number) => void): Section {
  const [head, ...rows] = readFileSync(join(FOLDER, 'measured_sklearn_iforest.csv'), 'utf8').trim().split(/\r?\n/);
  const columns = head!.split(',');
  const sets = rows
    .map((row) => Object.fromEntries(row.split(',').map((cell, i) => [columns[i]!, cell])))
    .filter(({ set }) => existsSync(join(FOLDER, `${set}.csv.gz`)));
  const lines = sets.map(({ set, sk_auroc, sk_sd }, i): Line => {
    const areas = aurocs(set!);
    onDone(i + 1, sets.length);
    const away = (mean(areas) - Number(sk_auroc)) / Number(sk_sd);
    const value = `${mean(areas).toFixed(4)} (${away >= 0 ? '+' : '−'}${Math.abs(away).toFixed(2)} sd)`;
    return line(set!, `AUROC, mean of ${SEEDS} seeds`, value, `${sk_auroc} ± ${sk_sd}`, Math.abs(away) <= 1);
  });
  return { name: 'forest', lines };
}

function aurocs(set: string): number[] {
  const [head, ...rows] = gunzipSync(readFileSync(join(FOLDER, `${set}.csv.gz`)))
    .toString()
    .trim()
    .split(/\r?\n/);
  const features = head!.split(',').length - 1;
  const flat = new Float32Array(rows.length * features);
  const labels = new Uint8Array(rows.length);
  for (const [i, row] of rows.entries()) {
    const cells = row.split(',');
    for (let f = 0; f < features; f++) flat[i * features + f] = Number(cells[f]);
    labels[i] = Number(cells[features]);
  }
  return Array.from({ length: SEEDS }, (_, seed) =>
    areaUnderCurve(IsolationForest.fit(flat, { features, seed: seed + 1 }).score(flat), labels),
  );
}

/** By ranks, ties sharing theirs (Mann and Whitney 1947). */
function areaUnderCurve(scores: Float64Array, labels: Uint8Array): number {
  const order = Uint32Array.from(scores.keys()).sort((a, b) => scores[a]! - scores[b]!);
  let ranks = 0;
  let anomalies = 0;
  for (let from = 0; from < order.length; ) {
    let to = from;
    let within = 0;
    while (to < order.length && scores[order[to]!] === scores[order[from]!]) within += labels[order[to++]!]!;
    ranks += within * ((from + 1 + to) / 2);
    anomalies += within;
    from = to;
  }
  return (ranks - (anomalies * (anomalies + 1)) / 2) / (anomalies * (order.length - anomalies));
}
