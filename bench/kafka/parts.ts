/** Where a process's CPU time went, by what a sampling profile of it says. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

interface ProfileNode {
  readonly id: number;
  readonly callFrame: { readonly functionName: string; readonly url: string };
  readonly children?: readonly number[];
}

export type Part = 'detection' | 'codec' | 'kafka client' | 'log adapter' | 'pipeline and rest' | 'garbage' | 'idle';

/** What has no file of its own (JSON.parse, sockets, compression) counts for who called it. */
export function partsOf(dir: string): ReadonlyMap<Part, number> {
  const [file] = readdirSync(dir).filter((name) => name.endsWith('.cpuprofile'));
  const profile = JSON.parse(readFileSync(join(dir, file!), 'utf8')) as {
    nodes: readonly ProfileNode[];
    samples: readonly number[];
    timeDeltas: readonly number[];
  };
  const byId = new Map(profile.nodes.map((node) => [node.id, node]));
  const parts = new Map<number, Part>();
  const visit = (node: ProfileNode, above: Part): void => {
    const part = partOf(node) ?? above;
    parts.set(node.id, part);
    for (const child of node.children ?? []) visit(byId.get(child)!, part);
  };
  visit(profile.nodes[0]!, 'pipeline and rest');
  const micros = new Map<Part, number>();
  for (const [i, id] of profile.samples.entries()) {
    const part = parts.get(id)!;
    micros.set(part, (micros.get(part) ?? 0) + profile.timeDeltas[i]!);
  }
  return micros;
}

function partOf({ callFrame: { functionName, url } }: ProfileNode): Part | null {
  if (functionName === '(idle)') return 'idle';
  if (functionName === '(garbage collector)') return 'garbage';
  if (url.includes('/src/detection/') || url.startsWith('wasm:')) return 'detection';
  if (url.includes('/src/market/codec')) return 'codec';
  if (url.includes('@platformatic') || url.startsWith('node:net') || url.startsWith('node:zlib')) return 'kafka client';
  if (url.includes('/src/event-log/')) return 'log adapter';
  if (url.includes('/src/')) return 'pipeline and rest';
  return null;
}
