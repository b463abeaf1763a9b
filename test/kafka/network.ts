/**
 * A network of their own for a cluster's brokers, each behind a cable that can be pulled: nothing goes to it or comes from
 * it, no connection ends, and it goes on by itself. Linux, as root: a network namespace for each, and one for the bridge
 * between them, where this machine's firewall has no say.
 */
import { execFileSync } from 'node:child_process';

let networks = 0;

export class Network {
  /** Begins the names of all there is of it, and is that of the bridge's namespace and of this machine's cable. */
  readonly #name: string;
  readonly #subnet: string;
  readonly #ids: readonly number[];
  readonly #onExit = (): void => this.close();

  /** @throws Error where the system does not allow it. */
  constructor(brokers: number) {
    this.#name = `tw${process.pid}${'abcdefgh'[networks++ % 8]}`;
    this.#subnet = `10.${64 + (process.pid % 128)}.${(process.pid >> 7) % 256}`;
    this.#ids = Array.from({ length: brokers }, (_, i) => i + 1);
    process.once('exit', this.#onExit);
    try {
      const hub = this.#name;
      ip('netns', 'add', hub);
      ip('-n', hub, 'link', 'add', 'bridge', 'type', 'bridge');
      ip('-n', hub, 'link', 'set', 'bridge', 'up');
      ip('link', 'add', hub, 'type', 'veth', 'peer', 'name', 'host', 'netns', hub);
      ip('addr', 'add', `${this.host(254)}/24`, 'dev', hub);
      ip('link', 'set', hub, 'up');
      ip('-n', hub, 'link', 'set', 'host', 'master', 'bridge', 'up');
      for (const id of this.#ids) this.#plug(id);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  host(id: number): string {
    return `${this.#subnet}.${id}`;
  }

  /** A command that runs `command` where that broker is. */
  inside(id: number, command: readonly string[]): string[] {
    return ['ip', 'netns', 'exec', this.#of(id), ...command];
  }

  cut(id: number): void {
    ip('-n', this.#name, 'link', 'set', `port${id}`, 'nomaster');
  }

  mend(id: number): void {
    ip('-n', this.#name, 'link', 'set', `port${id}`, 'master', 'bridge');
  }

  close(): void {
    process.off('exit', this.#onExit);
    for (const name of [...this.#ids.map((id) => this.#of(id)), this.#name]) {
      try {
        ip('netns', 'del', name);
      } catch {
        // It was never made.
      }
    }
  }

  #of(id: number): string {
    return `${this.#name}${id}`;
  }

  #plug(id: number): void {
    const [hub, name] = [this.#name, this.#of(id)];
    ip('netns', 'add', name);
    ip('-n', hub, 'link', 'add', `port${id}`, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', name);
    ip('-n', name, 'addr', 'add', `${this.host(id)}/24`, 'dev', 'eth0');
    for (const device of ['lo', 'eth0']) ip('-n', name, 'link', 'set', device, 'up');
    ip('-n', hub, 'link', 'set', `port${id}`, 'master', 'bridge', 'up');
  }
}

function ip(...args: readonly string[]): void {
  execFileSync('ip', args, { stdio: ['ignore', 'ignore', 'pipe'] });
}

/** Why brokers can't have a network of their own here; null where they can. */
export function noNetwork(): string | null {
  try {
    new Network(1).close();
    return null;
  } catch (error) {
    return `cuts a network: needs Linux, root and iproute2 (${String(error).split('\n')[0]})`;
  }
}
