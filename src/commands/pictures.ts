/** `--html F` and `--svg F` of `explain`: the picture of one anomaly, from a replay of its tape. */
import { writeFileSync } from 'node:fs';
import { explanationOf } from '../backtest/explanation-recorder.ts';
import type { Policy } from '../detection/detector.ts';
import { TapewatchError } from '../market/error.ts';
import type { TapeRecord } from '../market/records.ts';
import type { TapeDetector } from '../pipeline/tape-detector.ts';
import { explanationSvg } from '../report/explanation-chart.ts';
import { explanationPage } from '../report/explanation-page.ts';
import { say } from './output.ts';

export interface PictureOptions {
  readonly html?: string;
  readonly svg?: string;
}

export interface Replay {
  readonly tape: AsyncIterable<readonly TapeRecord[]>;
  readonly policy: Policy;
  /** Puts a snapshot in, where the tape does not begin at the beginning. */
  readonly restore?: (detector: TapeDetector) => void;
}

/** `verdict` is a sentence. Does nothing, and replays nothing, where no picture is asked for. */
export async function writePictures(
  id: string,
  { html, svg }: PictureOptions,
  replay: () => Promise<Replay> | Replay,
  verdict: string,
): Promise<void> {
  if (html === undefined && svg === undefined) return;
  const { tape, policy, restore } = await replay();
  const explanation = await explanationOf(tape, policy, id, restore);
  if (!explanation) throw new TapewatchError('not_found', `This tape, model and settings give no anomaly ${id}.`);
  if (html !== undefined) write(html, explanationPage({ ...explanation, verdict }));
  if (svg !== undefined) write(svg, explanationSvg(explanation));
}

function write(path: string, text: string): void {
  try {
    writeFileSync(path, text);
  } catch (cause) {
    throw new TapewatchError('usage', `Can't write ${path}: ${(cause as Error).message}.`, { cause });
  }
  say(`${path}: open it in a browser.`);
}
