/** What the user chose, kept in this browser. */
import { effect, type Signal, signal } from '@preact/signals';

function kept<T extends string>(name: string, first: T): Signal<T> {
  const key = `tapewatch.${name}`;
  const value = signal((read(key) ?? first) as T);
  effect(() => write(key, value.value));
  return value;
}

function read(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

function write(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {
    // A browser that keeps nothing still shows everything.
  }
}

export const theme: Signal<'system' | 'light' | 'dark'> = kept('theme', 'system');
export const sound: Signal<'on' | 'off'> = kept('sound', 'off');
export const popups: Signal<'on' | 'off'> = kept('popups', 'off');
/** The bearer token for writes, where the server wants one. */
export const token: Signal<string> = kept('token', '');
export type Order = 'odd' | 'symbol' | 'change' | 'alerts';
export const order: Signal<Order> = kept('order', 'odd');

const systemDark = matchMedia('(prefers-color-scheme: dark)');
const systemIsDark = signal(systemDark.matches);
systemDark.addEventListener('change', ({ matches }) => {
  systemIsDark.value = matches;
});

/** Whether the screen has room for one column only, as the style sheet has it. */
const narrow = matchMedia('(max-width: 760px)');
export const isNarrow = signal(narrow.matches);
narrow.addEventListener('change', ({ matches }) => {
  isNarrow.value = matches;
});

/** The theme in force; charts repaint when it changes. */
export const isDark = signal(true);
effect(() => {
  isDark.value = theme.value === 'dark' || (theme.value === 'system' && systemIsDark.value);
  document.documentElement.dataset['theme'] = isDark.value ? 'dark' : 'light';
});
