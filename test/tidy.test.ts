/** The house keeps its shape: which room may import which, and what no room may call (with what to use instead). */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { test } from 'node:test';

const SRC = new URL('../src/', import.meta.url).pathname;

/** room → rooms it may import; `market` is open to all, `observe` to all but the pure. */
const ARROWS: Readonly<Record<string, readonly string[]>> = {
  market: [],
  observe: [],
  transport: [],
  'event-log': [],
  'tape-files': [],
  detection: [],
  exchange: ['transport'],
  simulator: ['transport'],
  capture: ['exchange', 'event-log', 'transport'],
  report: ['detection'],
  model: ['detection', 'tape-files', 'event-log'],
  pipeline: ['detection', 'event-log'],
  backtest: ['pipeline', 'detection', 'tape-files', 'report'],
  views: ['event-log'],
  terminal: ['views'],
  notify: ['event-log', 'report'],
  api: ['views', 'detection', 'model', 'event-log', 'report'],
};
const PURE = new Set(['market', 'detection']);

interface Ban {
  readonly pattern: RegExp;
  readonly instead: string;
  readonly allowed: (room: string, file: string) => boolean;
}

const BANS: readonly Ban[] = [
  {
    pattern: /\bDate\.now\(|\bnew Date\(\)|\bperformance\.now\(/,
    instead: 'take the time from the records or from the Clock of transport',
    allowed: (room, file) => room === 'commands' || room === 'observe' || file === 'transport/network.ts',
  },
  {
    pattern: /\bMath\.random\(/,
    instead: 'take a seeded generator or Clock.random',
    allowed: (_, file) => file === 'transport/network.ts',
  },
  {
    pattern: /from 'node:|import\('node:/,
    instead: 'pure rooms take values as arguments',
    allowed: (room) => !PURE.has(room),
  },
  {
    pattern: /\bprocess\.env\b/,
    instead: 'add a row to src/settings.ts',
    allowed: (_, file) => file === 'settings.ts',
  },
  {
    pattern: /\bconsole\./,
    instead: 'log through observe, print in commands',
    allowed: (room) => room === 'commands',
  },
  {
    pattern: /\bMath\.(exp|log|log2|log10|log1p|expm1|pow|sin|cos|tan|tanh|sinh|cosh|cbrt|hypot|atan|atan2)\(|\*\*/,
    instead:
      'detection/math.ts: the engine may change these between versions, and the same tape must give the same bytes',
    allowed: (room, file) => room !== 'detection' || file === 'detection/math.ts',
  },
];

interface Source {
  readonly file: string;
  readonly room: string;
  readonly text: string;
}

function sources(): Source[] {
  return readdirSync(SRC, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => ({ file, room: roomOf(file), text: readFileSync(join(SRC, file), 'utf8') }));
}

function roomOf(file: string): string {
  return file.includes('/') ? file.slice(0, file.indexOf('/')) : '';
}

function importedFiles({ file, text }: Source): string[] {
  const specifiers = text.matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g);
  return [...specifiers].map(([, path]) => relative(SRC, new URL(path!, `file://${SRC}${file}`).pathname));
}

function arrowFaults(source: Source): string[] {
  const { room } = source;
  if (room === 'commands' || room === '') return [];
  const allowed = ARROWS[room];
  if (!allowed) return [`${source.file}: room ${room} is not in the house`];
  return importedFiles(source)
    .filter((target) => {
      const to = roomOf(target);
      return to !== room && to !== 'market' && !(to === 'observe' && !PURE.has(room)) && !allowed.includes(to);
    })
    .map((target) => `${source.file} may not import ${target}`);
}

function banFaults({ file, room, text }: Source): string[] {
  const code = text.replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '');
  return BANS.filter((ban) => !ban.allowed(room, file) && ban.pattern.test(code)).map(
    (ban) => `${file} uses ${ban.pattern.source}: ${ban.instead}`,
  );
}

test('rooms import only what stands on their line', () => {
  assert.deepEqual(sources().flatMap(arrowFaults), []);
});

test('banned calls are absent', () => {
  assert.deepEqual(sources().flatMap(banFaults), []);
});

test('the rules themselves catch a wrong arrow and a banned call', () => {
  const wrong = {
    file: 'detection/x.ts',
    room: 'detection',
    text: "import { a } from '../event-log/a.ts'; Date.now(); Math.log(2);",
  };
  assert.equal(arrowFaults(wrong).length, 1);
  assert.equal(banFaults(wrong).length, 2);
});
