// Makes models/default.json from the real tapes in ../shared/data: `node tools/train-default-model.mjs`.
// Announced pumps and everything about them (30 minutes before to 6 hours after) are left out, so that the tails are calm
// markets'; so is the cascade of 2025-10-10. Only statistics of the tapes end up in the model.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const root = new URL('..', import.meta.url).pathname;
const data = join(root, '../shared/data');
if (!existsSync(data)) {
  console.error('The tapes are absent: this script needs ../shared/data beside the repository.');
  process.exit(1);
}
const BEFORE_MS = 30 * 60_000;
const AFTER_MS = 6 * 3_600_000;

const [header, ...rows] = readFileSync(join(data, 'pumps/events.csv'), 'utf8').trim().split(/\r?\n/);
const columns = header.split(',');
const time = (text) => Date.parse(text.slice(0, 23) + (/[Z+]/.test(text) ? '' : 'Z'));
const exclusions = ['TRXUSDT,1760129400000,1760140800000'];
for (const row of rows) {
  const cells = Object.fromEntries(row.split(',').map((cell, i) => [columns[i], cell]));
  const moments = [
    cells.announced_utc,
    cells.sapienza_gt_5S,
    ...(cells.other_event_utc ?? '').split(';'),
    ...(cells.ignore_utc ?? '').split(';'),
  ];
  for (const moment of moments.filter(Boolean)) {
    exclusions.push(`${cells.symbol},${time(moment) - BEFORE_MS},${time(moment) + AFTER_MS}`);
  }
}
const tapes = ['pumps', 'tapes'].flatMap((folder) =>
  readdirSync(join(data, folder))
    .filter((name) => /\.(csv\.gz|zip)$/.test(name))
    .map((name) => join(data, folder, name)),
);
const scratch = mkdtempSync(join(tmpdir(), 'tapewatch-train-'));
try {
  writeFileSync(join(scratch, 'exclude.csv'), `${exclusions.join('\n')}\n`);
  const options = [
    '--exclude',
    join(scratch, 'exclude.csv'),
    '--seed',
    '1',
    '--out',
    join(root, 'models/default.json'),
  ];
  execFileSync(process.execPath, [join(root, 'bin/tapewatch.js'), 'train', '--tape', ...tapes, ...options], {
    stdio: 'inherit',
  });
} finally {
  rmSync(scratch, { recursive: true });
}
