/** What a section of the table is: lines of figure against goal, or a sentence why there are none. */

export interface Line {
  readonly on: string;
  readonly figure: string;
  readonly value: string;
  readonly goal: string;
  /** Null where there is no goal. */
  readonly met: boolean | null;
}

export interface Section {
  readonly name: string;
  readonly lines: readonly Line[];
  readonly skipped?: string;
  /** Longer tables in Markdown, below the lines. */
  readonly detail?: string;
}

export function line(on: string, figure: string, value: string, goal = '', met: boolean | null = null): Line {
  return { on, figure, value, goal, met };
}

export function skipped(name: string, why: string): Section {
  return { name, lines: [], skipped: why };
}

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

export function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
