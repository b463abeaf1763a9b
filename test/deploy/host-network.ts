/** What a Docker daemon changes on the host's network, noted before it starts and put back after it ended. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';

const FORWARD = '/proc/sys/net/ipv4/ip_forward';
const TABLES = ['filter', 'nat', 'raw', 'mangle'] as const;

interface Noted {
  readonly forward: string;
  /** Policy of the filter table's FORWARD chain: ACCEPT or DROP. */
  readonly policy: string;
  readonly links: readonly string[];
}

export const NetworkBefore = {
  note(path: string): void {
    const policy = /^-P FORWARD (\w+)/m.exec(iptables('-S', 'FORWARD'))?.[1] ?? 'ACCEPT';
    const noted: Noted = { forward: readFileSync(FORWARD, 'utf8').trim(), policy, links: links() };
    writeFileSync(path, JSON.stringify(noted));
  },

  restore(path: string): void {
    if (!existsSync(path)) return;
    const before = JSON.parse(readFileSync(path, 'utf8')) as Noted;
    for (const link of links())
      if (!before.links.includes(link) && /^(docker0|br-|veth)/.test(link)) tolerant('ip', 'link', 'del', link);
    for (const table of TABLES) forget(table);
    tolerant('iptables', '-P', 'FORWARD', before.policy);
    writeFileSync(FORWARD, before.forward);
    rmSync(path);
  },
};

/** Takes Docker's rules out of a table, and then its chains. */
function forget(table: string): void {
  const rules = iptables('-t', table, '-S').split('\n');
  const ours = /docker0|\bbr-[0-9a-f]{12}\b|\bDOCKER|-s 172\.(29\.0|30\.\d+)\.0\/24/;
  for (const rule of rules)
    if (rule.startsWith('-A ') && ours.test(rule))
      tolerant('iptables', '-t', table, ...rule.replace(/^-A/, '-D').split(' '));
  const chains = rules.flatMap((rule) => /^-N (DOCKER\S*)/.exec(rule)?.[1] ?? []);
  for (const chain of chains) tolerant('iptables', '-t', table, '-F', chain);
  for (const chain of chains) tolerant('iptables', '-t', table, '-X', chain);
}

function links(): string[] {
  const listed = JSON.parse(execFileSync('ip', ['-j', 'link'], { encoding: 'utf8' })) as { readonly ifname: string }[];
  return listed.map(({ ifname }) => ifname);
}

function iptables(...args: string[]): string {
  return execFileSync('iptables', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
}

/** What is gone already needs no taking away. */
function tolerant(command: string, ...args: string[]): void {
  try {
    execFileSync(command, args, { stdio: 'ignore' });
  } catch {}
}
