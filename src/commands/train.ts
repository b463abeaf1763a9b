/** `tapewatch train`: a model from tapes. */
import { readFileSync } from 'node:fs';
import { TapewatchError } from '../market/error.ts';
import { saveArtefact } from '../model/artefact-file.ts';
import { train } from '../model/train.ts';
import { readTape, sizeOfFiles } from '../tape-files/tape.ts';
import { Progress, say } from './output.ts';

export interface TrainCommand {
  readonly tape: readonly string[];
  readonly out: string;
  readonly seed: string;
  readonly exclude?: string;
}

export async function runTrain(options: TrainCommand): Promise<void> {
  const seed = Number(options.seed);
  if (!Number.isInteger(seed) || seed < 0)
    throw new TapewatchError('usage', `--seed is ${options.seed}: it must be a whole number.`);
  const total = sizeOfFiles(options.tape);
  const exclude = options.exclude === undefined ? null : readExclusions(options.exclude);
  let progress = new Progress('train', total);
  const artefact = await train({
    tape: () => readTape(options.tape, { onProgress: (bytes) => progress.show(bytes) }),
    seed,
    command: `train --seed ${seed}${exclude ? ' --exclude' : ''} (${options.tape.length} tapes)`,
    ...(exclude ? { exclude } : {}),
    onPass: (pass, of) => {
      progress = new Progress(`train, pass ${pass} of ${of}`, total);
    },
  });
  progress.end();
  const id = saveArtefact(options.out, artefact);
  say(`${options.out}: ${id}, from ${artefact.provenance.trainedOn.length} symbols`);
}

/** Lines `symbol,from,to` in ms: stretches that training leaves out. */
function readExclusions(path: string): (symbol: string, timestamp: number) => boolean {
  const bySymbol = new Map<string, { from: number; to: number }[]>();
  for (const line of readFileSync(path, 'utf8').split('\n')) {
    if (line.trim() === '') continue;
    const [symbol, from, to] = line.split(',');
    if (!symbol || !(Number(from) < Number(to))) {
      throw new TapewatchError('usage', `${path}: "${line}" is not symbol,from,to with times in ms.`);
    }
    const list = bySymbol.get(symbol) ?? [];
    list.push({ from: Number(from), to: Number(to) });
    bySymbol.set(symbol, list);
  }
  return (symbol, timestamp) =>
    bySymbol.get(symbol)?.some(({ from, to }) => timestamp >= from && timestamp < to) ?? false;
}
