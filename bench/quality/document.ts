/** docs/detection-figures.md, made of the sections. */
import { type Section, table } from './section.ts';
import { METHOD } from './simulated-market.ts';

const TITLES: Readonly<Record<string, string>> = {
  pumps: 'Announced pump-and-dumps',
  cascade: 'The liquidation cascade of 2025-10-10',
  calm: 'A calm day',
  simulated: 'The simulated exchange',
  forest: 'The Isolation Forest on labelled sets',
  budget: 'Incidents asked for and given',
  cost: 'Cost',
};

export function document(sections: readonly Section[]): string {
  const parts = sections.map(({ name, lines, detail }) => {
    const rows = lines.map(({ on, figure, value, goal, met }) => [
      on,
      figure,
      value,
      goal || '—',
      met === null ? '—' : met ? 'yes' : '**no**',
    ]);
    const method = name === 'simulated' ? [METHOD] : [];
    const more = detail ? [detail] : [];
    const goals = table(['on', 'figure', 'measured', 'goal', 'met'], rows);
    return [`## ${TITLES[name] ?? name}`, ...method, goals, ...more].join('\n\n');
  });
  const intro =
    'Written by `npm run bench:quality -- --write`; don’t edit it. Real tapes are those beside the repository in\n`../shared/data`, with the shipped model and default settings unless a line says otherwise.';
  return `${['# Detection, measured', intro, ...parts].join('\n\n')}\n`;
}
