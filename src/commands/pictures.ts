/** `--html F` and `--svg F` of `explain`: the picture of one anomaly, from a replay of its tape. */
import { writeFileSync } from 'node:fs';
import { explanationOf } from '../backtest/explanation-recorder.ts';
import type { Start } from '../backtest/recompute.ts';
import { TapewatchError } from '../market/error.ts';
import type { TapeRecord } from '../market/records.ts';
import { explanationSvg } from '../report/explanation-chart.ts';
import { explanationPage } from '../report/explanation-page.ts';
import { say } from './output.ts';

export interface PictureOptions {
  readonly html?: string;
  readonly svg?: string;
}

/** `verdict` is a sentence. Does nothing, and replays nothing, where no picture is asked for. */
export async function writePictures(
  id: string,
  { html, svg }: PictureOptions,
  tape: () => Promise<AsyncIterable<readonly TapeRecord[]>>,
  start: Start,
  verdict: string,
): Promise<void> {
  if (html === undefined && svg === undefined) return;
  const explanation = await explanationOf(await tape(), start, id);
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
