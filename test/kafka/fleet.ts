/** Processes of one role that are killed, stopped beyond their session, joined and left at random. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream, mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Random } from '../../src/market/random.ts';
import { processClock } from '../../src/transport/network.ts';

export const BIN = fileURLToPath(new URL('../../bin/tapewatch.js', import.meta.url));

/** From a process's start to its first step, about. */
const START_MS = 2500;
const READY_MS = 60_000;

export interface FleetOptions {
  readonly role: 'detect' | 'capture';
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Processes that run all the time, save for what befalls them. */
  readonly size: number;
  readonly sessionMs: number;
  readonly random: Random;
}

export interface Befallen {
  kills: number;
  stops: number;
  joins: number;
  leaves: number;
  /** Processes that ended by themselves: their last words stand in `words`. */
  ownEnds: number;
}

interface Slot {
  readonly name: string;
  child: ChildProcess;
  /** Where its health is told, once it has said so. */
  address: string | null;
  /** What befalls it now is ours: an end is no failure. */
  busy: boolean;
}

export class Fleet {
  readonly befallen: Befallen = { kills: 0, stops: 0, joins: 0, leaves: 0, ownEnds: 0 };
  readonly words: string[] = [];
  readonly #options: FleetOptions;
  readonly #dir = mkdtempSync(join(tmpdir(), 'tapewatch-fleet-'));
  readonly #slots: Slot[] = [];
  readonly #killAll = (): void => {
    for (const { child } of this.#slots) child.kill('SIGKILL');
  };
  #bin = BIN;
  #ending = false;
  #next = 0;

  constructor(options: FleetOptions) {
    this.#options = options;
    process.once('exit', this.#killAll);
    for (let i = 0; i < options.size; i++) this.#add();
  }

  /** One mishap after another, each `pauseMs` on average after the last, until `count` have befallen. */
  async befall(count: number, pauseMs: number, mix: readonly ('kill' | 'stop' | 'join' | 'leave')[]): Promise<void> {
    const { random, size } = this.#options;
    for (let i = 0; i < count; i++) {
      await processClock.sleep(pauseMs * (0.5 + random.next()));
      let what = mix[i % mix.length]!;
      // Only where another is there to take over does it make a zombie.
      if (what === 'stop') await this.#several();
      const idle = this.#slots.filter(({ busy }) => !busy);
      if (what === 'leave' && this.#slots.length <= size) what = 'join';
      const victim = idle[Math.floor(random.next() * idle.length)];
      if (what === 'join' || !victim) this.#join();
      else if (what === 'kill') await this.#kill(victim);
      else if (what === 'stop') await this.#freeze(victim);
      else await this.#leave(victim);
    }
  }

  async #several(): Promise<void> {
    for (let i = 0; i < 100 && this.#slots.filter(({ busy }) => !busy).length < 2; i++) await processClock.sleep(100);
    await processClock.sleep(START_MS);
  }

  /** Ends each in turn and starts it anew, of the build whose command this is; the next one's turn comes when it is ready. */
  async update(bin: string): Promise<void> {
    this.#bin = bin;
    for (const slot of [...this.#slots]) {
      slot.busy = true;
      await this.#end(slot.child);
      slot.child = this.#launch(slot);
      slot.busy = false;
      await ready(slot);
    }
  }

  async stop(): Promise<void> {
    this.#ending = true;
    await Promise.all(this.#slots.map(({ child }) => this.#end(child)));
    process.off('exit', this.#killAll);
  }

  log(name: string): string {
    return readFileSync(join(this.#dir, `${name}.log`), 'utf8');
  }

  get names(): readonly string[] {
    return this.#slots.map(({ name }) => name);
  }

  #join(): void {
    this.befallen.joins++;
    this.#add();
  }

  #add(): void {
    const name = `slot-${this.#next++}`;
    const slot = { name, busy: false } as unknown as Slot;
    slot.child = this.#launch(slot);
    this.#slots.push(slot);
  }

  async #kill(slot: Slot): Promise<void> {
    this.befallen.kills++;
    slot.busy = true;
    await this.#gone(slot.child, 'SIGKILL');
    // Sometimes back within its session, sometimes long after.
    const away = this.#options.sessionMs * 1.6 * this.#options.random.next();
    void processClock.sleep(away).then(() => {
      if (this.#ending) return;
      slot.child = this.#launch(slot);
      slot.busy = false;
    });
  }

  /** Longer than a session: the others take over, and then it goes on as if nothing had been. */
  async #freeze(slot: Slot): Promise<void> {
    this.befallen.stops++;
    slot.busy = true;
    slot.child.kill('SIGSTOP');
    void processClock.sleep(this.#options.sessionMs + 4000).then(() => {
      slot.child.kill('SIGCONT');
      slot.busy = false;
    });
  }

  async #leave(slot: Slot): Promise<void> {
    this.befallen.leaves++;
    this.#slots.splice(this.#slots.indexOf(slot), 1);
    slot.busy = true;
    await this.#end(slot.child);
  }

  #launch(slot: Slot): ChildProcess {
    const { role, args, env } = this.#options;
    const out = createWriteStream(join(this.#dir, `${slot.name}.log`), { flags: 'a' });
    const child = spawn(process.execPath, [this.#bin, role, '--port', '0', '--instance', slot.name, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    });
    child.stdout.pipe(out, { end: false });
    let said = '';
    slot.address = null;
    child.stderr.on('data', (data: Buffer) => {
      said = (said + data.toString()).slice(-600);
      if (slot.child === child) slot.address ??= /http:\/\/[\d.]+:\d+/.exec(said)?.[0] ?? null;
      out.write(data);
    });
    child.once('exit', (code, signal) => {
      if (this.#ending || slot.busy || slot.child !== child) return;
      this.befallen.ownEnds++;
      this.words.push(`${slot.name} ended by itself (${code ?? signal}): ${said.trim()}`);
      slot.child = this.#launch(slot);
    });
    return child;
  }

  async #end(child: ChildProcess): Promise<void> {
    child.kill('SIGCONT');
    const late = setTimeout(() => child.kill('SIGKILL'), 20_000);
    await this.#gone(child, 'SIGTERM');
    clearTimeout(late);
  }

  async #gone(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
  }
}

async function ready(slot: Slot): Promise<void> {
  for (let waited = 0; waited < READY_MS; waited += 100) {
    const status = slot.address && (await fetch(`${slot.address}/readyz`).catch(() => null))?.status;
    if (status === 200) return;
    await processClock.sleep(100);
  }
  throw new Error(`${slot.name} is not ready after ${READY_MS / 1000} s.`);
}
