/** One process of a role, found by the address that it says it listens on. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { processClock } from '../../src/transport/network.ts';
import { BIN } from './fleet.ts';

export interface Role {
  readonly child: ChildProcess;
  readonly address: string;
  /** All it has said. */
  said(): string;
  stop(): Promise<void>;
}

export async function startRole(args: readonly string[], env: Readonly<Record<string, string>>): Promise<Role> {
  const child = spawn(process.execPath, [BIN, ...args, '--port', '0'], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, ...env },
  });
  const kill = (): void => void child.kill('SIGKILL');
  process.once('exit', kill);
  let said = '';
  child.stderr.on('data', (data: Buffer) => {
    said += data.toString();
  });
  const address = (): string | undefined => /http:\/\/[\d.]+:\d+/.exec(said)?.[0];
  while (address() === undefined) {
    if (child.exitCode !== null) throw new Error(`${args[0]} ended with ${child.exitCode}: ${said}`);
    await processClock.sleep(50);
  }
  return {
    child,
    address: address()!,
    said: () => said,
    async stop() {
      process.off('exit', kill);
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, 'exit');
      child.kill('SIGTERM');
      const late = setTimeout(kill, 20_000);
      await gone;
      clearTimeout(late);
    },
  };
}
