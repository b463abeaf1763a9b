/**
 * `npm run bench:quality`: detection on the real tapes and on the simulated exchange, against its goals. Options:
 * `--only pumps,simulated,…` some sections; `--seeds 5` fewer simulated markets; `--budget 1` that of the simulated section;
 * `--jobs 2` threads; `--json` lines as JSON; `--write` renews docs/detection-figures.md.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { BTC, TRX, WITHOUT_DATA } from '../../test/real-data.ts';
import { costSection } from './cost.ts';
import { document } from './document.ts';
import { forestSection } from './forest-sets.ts';
import type { MarketMeasured, Measure, TapeMeasured } from './measures.ts';
import {
  BUDGETS,
  budgetSection,
  calmSection,
  cascadeSection,
  otherTapes,
  pumpSection,
  pumpTapes,
} from './real-tapes.ts';
import { type Section, skipped, table } from './section.ts';
import { marketSection } from './simulated-market.ts';
import { measureAll } from './threads.ts';

const SECTIONS = ['pumps', 'cascade', 'calm', 'simulated', 'forest', 'budget', 'cost'] as const;
type Name = (typeof SECTIONS)[number];
const NEEDS_PUMPS: readonly Name[] = ['pumps', 'budget'];
const NEEDS_TAPES: readonly Name[] = ['cascade', 'calm', 'budget'];

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    seeds: { type: 'string', default: '20' },
    budget: { type: 'string', default: '1' },
    jobs: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
  },
});
const wanted = new Set<string>(values.only?.split(',') ?? SECTIONS);
for (const name of wanted) {
  if (!SECTIONS.includes(name as Name)) fail(`--only knows no ${name}; there are ${SECTIONS.join(', ')}.`);
}
const seeds = Number(values.seeds);
const budget = Number(values.budget);
if (values.write && (wanted.size < SECTIONS.length || seeds !== 20 || WITHOUT_DATA))
  fail('--write needs every section, 20 seeds and the tapes of ../shared/data.');

const sections = await run();
if (values.json)
  for (const { name, lines } of sections) for (const row of lines) console.log(JSON.stringify({ name, ...row }));
else console.log(text(sections));
if (values.write) writeFileSync(new URL('../../docs/detection-figures.md', import.meta.url), document(sections));

async function run(): Promise<Section[]> {
  const has = (names: readonly Name[]): boolean => !WITHOUT_DATA && names.some((name) => wanted.has(name));
  const tape = (path: string): Measure => ({ type: 'tape', path, budgets: BUDGETS });
  const pumpTasks = has(NEEDS_PUMPS) ? pumpTapes().map(tape) : [];
  const otherTasks = has(NEEDS_TAPES) ? otherTapes().map(tape) : [];
  const marketTasks = Array.from(
    { length: wanted.has('simulated') ? seeds : 0 },
    (_, i): Measure => ({ type: 'market', seed: i + 1, budget }),
  );
  const tasks = [...pumpTasks, ...otherTasks, ...marketTasks];
  const measured = await measureAll(tasks, Number(values.jobs), (done) => tell(`${done} of ${tasks.length} tapes`));
  const pumps = measured.slice(0, pumpTasks.length) as TapeMeasured[];
  const others = measured.slice(pumpTasks.length, pumpTasks.length + otherTasks.length) as TapeMeasured[];
  const markets = measured.slice(pumpTasks.length + otherTasks.length) as MarketMeasured[];
  const of = (path: string): TapeMeasured => others.find((one) => one.path === path)!;
  const make: Readonly<Record<Name, () => Section | Promise<Section>>> = {
    pumps: () => pumpSection(pumps),
    cascade: () => cascadeSection(of(TRX)),
    calm: () => calmSection(of(BTC)),
    simulated: () => marketSection(markets, budget),
    forest: () => forestSection((done, all) => tell(`${done} of ${all} isolation-forest sets`)),
    budget: () => budgetSection(pumps, others),
    cost: () => costSection(!WITHOUT_DATA),
  };
  const sections: Section[] = [];
  for (const name of SECTIONS.filter((one) => wanted.has(one))) {
    const needsData = name !== 'simulated' && name !== 'cost';
    sections.push(WITHOUT_DATA && needsData ? skipped(name, WITHOUT_DATA) : await make[name]());
  }
  tell('');
  return sections;
}

function text(sections: readonly Section[]): string {
  return sections
    .map(({ name, lines, skipped: why, detail }) => {
      if (why) return `## ${name}\nskipped: ${why}`;
      const rows = lines.map(({ on, figure, value, goal, met }) => [on, figure, value, goal, mark(met)]);
      return [
        `## ${name}`,
        table(['on', 'figure', 'measured', 'goal', 'met'], rows),
        ...(detail ? ['', detail] : []),
      ].join('\n');
    })
    .join('\n\n');
}

function mark(met: boolean | null): string {
  return met === null ? '' : met ? 'yes' : 'NO';
}

function tell(words: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[2K${words}`);
}

function fail(sentence: string): never {
  console.error(sentence);
  process.exit(2);
}
