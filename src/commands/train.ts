/** `tapewatch train`: a model from tapes, from a log, or straight from the exchange's history. */
import { readFileSync } from 'node:fs';
import { REST_ENDPOINTS } from '../exchange/binance/endpoints.ts';
import { BinanceRest } from '../exchange/binance/rest.ts';
import { TapewatchError } from '../market/error.ts';
import { saveArtefact } from '../model/artefact-file.ts';
import { modelCard } from '../model/card.ts';
import { train } from '../model/train.ts';
import { createNetworkTransport } from '../transport/network.ts';
import { download } from './download.ts';
import { Progress, print, say } from './output.ts';
import { oneAfterTheOther, openTapes } from './tapes.ts';

export interface TrainCommand {
  readonly tape?: readonly string[];
  readonly symbols?: string;
  readonly days?: string;
  readonly historyDir: string;
  readonly restUrl?: string;
  readonly symbol?: string;
  readonly out: string;
  readonly seed: string;
  readonly exclude?: string;
  readonly json?: boolean;
}

export async function runTrain(options: TrainCommand): Promise<void> {
  const seed = whole(options.seed, '--seed', 0);
  const exclude = options.exclude === undefined ? null : readExclusions(options.exclude);
  const paths = options.tape ?? (await history(options));
  let read = (_bytes: number): void => undefined;
  const {
    read: open,
    size,
    close,
  } = await openTapes(paths, {
    ...(options.symbol ? { symbol: options.symbol } : {}),
    onProgress: (count) => read(count),
  });
  let progress = new Progress('train', size);
  try {
    const artefact = await train({
      tape: () => oneAfterTheOther(open()),
      seed,
      command: `train --seed ${seed}${exclude ? ' --exclude' : ''} (${paths.length} tape${paths.length === 1 ? '' : 's'})`,
      ...(exclude ? { exclude } : {}),
      onPass: (pass, of) => {
        progress.end();
        progress = new Progress(`train, pass ${pass} of ${of}`, size);
        read = (count) => progress.show(count);
      },
    });
    progress.end();
    const id = saveArtefact(options.out, artefact);
    if (options.json) await print(`${JSON.stringify({ model: id, file: options.out, ...artefact.provenance })}\n`);
    else say(`${options.out}\n${modelCard({ ...artefact, id })}`);
  } finally {
    progress.end();
    await close();
  }
}

/** The tapes of the last days of some symbols, from the exchange. */
async function history(options: TrainCommand): Promise<string[]> {
  const symbols = [...new Set((options.symbols ?? '').split(',').map((name) => name.trim().toUpperCase()))].filter(
    (name) => name !== '',
  );
  if (symbols.length === 0 || options.days === undefined) {
    throw new TapewatchError('usage', 'Give tapes with --tape, or --symbols and --days for the exchange’s history.');
  }
  const days = whole(options.days, '--days', 1);
  const transport = createNetworkTransport();
  const stop = new AbortController();
  const onSignal = (): void => stop.abort();
  process.once('SIGINT', onSignal).once('SIGTERM', onSignal);
  const progress = new Progress('history', symbols.length * days);
  const endpoints = options.restUrl ? options.restUrl.split(',') : REST_ENDPOINTS;
  try {
    return await download({
      rest: new BinanceRest(transport, endpoints, {
        waiting: (ms) => say(`The exchange's budget of requests is spent: going on in ${Math.ceil(ms / 1000)} s.`),
      }),
      clock: transport,
      symbols,
      days,
      folder: options.historyDir,
      signal: stop.signal,
      onProgress: (done) => progress.show(done),
      onRetry: ({ message }, wait_s) => say(`${message} Trying again in ${wait_s} s.`),
    });
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    const kept = `What was fetched is kept in ${options.historyDir}: the same command goes on from there.`;
    throw new TapewatchError('aborted', `Stopped. ${kept}`, { cause: error });
  } finally {
    progress.end();
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal);
    await transport.close();
  }
}

/** @throws TapewatchError `usage`. */
function whole(text: string, name: string, least: number): number {
  const value = Number(text);
  if (!Number.isSafeInteger(value) || value < least)
    throw new TapewatchError('usage', `${name} is ${text}: it must be a whole number, ${least} or more.`);
  return value;
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
