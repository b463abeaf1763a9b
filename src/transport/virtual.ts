/**
 * The transport without a network: processes, sockets and requests in one process, on virtual time, from one seed. Time goes
 * on only from event to event, and only when all promises have had their say, so a run is the same each time.
 */
import { TapewatchError } from '../market/error.ts';
import { Random } from '../market/random.ts';
import type {
  Host,
  HttpRequest,
  HttpResponse,
  Server,
  ServerHandlers,
  Socket,
  SocketHandlers,
  Timer,
  Transport,
} from './transport.ts';
import { EventQueue } from './virtual-queue.ts';
import { VirtualWire } from './virtual-wire.ts';

export interface VirtualOptions {
  readonly seed: number;
  /** ms since the epoch. */
  readonly startMs: number;
  /** One way from process to process, least and most, ms. */
  readonly latencyMs?: readonly [number, number];
  /** Share of connections and requests that fail. */
  readonly failShare?: number;
}

interface Listening {
  readonly process: VirtualProcess;
  readonly handlers: ServerHandlers;
}

const CONNECT_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 15_000;
const PORT_FIRST = 20_000;

export class VirtualNetwork {
  readonly queue: EventQueue;
  readonly random: Random;
  readonly listening = new Map<number, Listening>();
  readonly #latencyMs: readonly [number, number];
  readonly #failShare: number;
  #port = PORT_FIRST;

  constructor(options: VirtualOptions) {
    this.queue = new EventQueue(options.startMs);
    this.random = new Random(options.seed);
    this.#latencyMs = options.latencyMs ?? [1, 5];
    this.#failShare = options.failShare ?? 0;
  }

  process(): VirtualProcess {
    return new VirtualProcess(this);
  }

  /** Lets time go on until `work` is settled, and gives what it gives. */
  async drive<T>(work: Promise<T>): Promise<T> {
    let settled = false;
    const settle = (): void => {
      settled = true;
    };
    work.then(settle, settle);
    await promisesSettled();
    while (!settled) {
      if (!this.queue.next())
        throw new TapewatchError('aborted', 'Nothing is left to happen, and the work is not done.');
      await promisesSettled();
    }
    return work;
  }

  latency(): number {
    const [least, most] = this.#latencyMs;
    return least + (most - least) * this.random.next();
  }

  fails(): boolean {
    return this.#failShare > 0 && this.random.next() < this.#failShare;
  }

  freePort(): number {
    while (this.listening.has(this.#port)) this.#port++;
    return this.#port;
  }
}

/** Every promise whose value is there has called who waits for it. */
function promisesSettled(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** One process: what it does can be stopped for ever, or for a while, in the middle of anything. */
export class VirtualProcess implements Transport, Host {
  readonly network: VirtualNetwork;
  readonly #wires = new Set<VirtualWire>();
  /** What came due while the process stood still; null while it runs. */
  #stoodStill: (() => void)[] | null = null;
  #killed = false;

  constructor(network: VirtualNetwork) {
    this.network = network;
  }

  get isAlive(): boolean {
    return !this.#killed;
  }

  /** As `kill -9` does: nothing of it runs any more, its peers see their connections cut. */
  kill(): void {
    this.#killed = true;
    for (const wire of this.#wires) wire.cut();
    for (const [port, { process }] of this.network.listening) if (process === this) this.network.listening.delete(port);
  }

  /** As SIGSTOP: what comes due waits for `resume`. Its connections stand. */
  pause(): void {
    this.#stoodStill ??= [];
  }

  resume(): void {
    const due = this.#stoodStill ?? [];
    this.#stoodStill = null;
    for (const call of due) this.after(0, call);
  }

  /** Calls after `ms` if the process lives then, and when it runs. */
  after(ms: number, call: () => void): Timer {
    return this.network.queue.add(ms, () => {
      if (this.#killed) return;
      if (this.#stoodStill) this.#stoodStill.push(call);
      else call();
    });
  }

  now(): number {
    return this.network.queue.now;
  }

  random(): number {
    return this.network.random.next();
  }

  setTimer(ms: number, call: () => void): Timer {
    return this.after(ms, call);
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return this.#settled('Waiting was stopped.', signal, (resolve) => this.after(ms, resolve));
  }

  async connect(
    url: string,
    handlers: SocketHandlers,
    options: { timeoutMs?: number; signal?: AbortSignal } = {},
  ): Promise<Socket> {
    const { network } = this;
    const { hostname, port, pathname, searchParams, origin } = new URL(url);
    const unreachable = (why: string): TapewatchError =>
      new TapewatchError('exchange_unreachable', `Can't reach ${origin}: ${why}.`, { retryable: true });
    await this.sleep(network.fails() ? (options.timeoutMs ?? CONNECT_TIMEOUT_MS) : network.latency(), options.signal);
    const server = hostname === 'virtual' ? network.listening.get(Number(port)) : undefined;
    if (!server || network.fails()) throw unreachable('nobody answers');
    const wire = new VirtualWire(this, server.process, handlers);
    const accepted = server.handlers.socket(pathname, searchParams, wire.server);
    await this.sleep(network.latency(), options.signal);
    if ('refuse' in accepted) throw unreachable(`Unexpected server response: ${accepted.refuse}`);
    this.#hold(wire);
    server.process.#hold(wire);
    wire.open(accepted, () => {
      this.#wires.delete(wire);
      server.process.#wires.delete(wire);
    });
    options.signal?.addEventListener('abort', () => wire.client.close(), { once: true });
    return wire.client;
  }

  async request(request: HttpRequest): Promise<HttpResponse> {
    const { network } = this;
    const { url, method = 'GET', timeoutMs = REQUEST_TIMEOUT_MS, signal } = request;
    const { hostname, port, pathname, searchParams, origin } = new URL(url);
    await this.sleep(network.latency(), signal);
    const server = hostname === 'virtual' ? network.listening.get(Number(port)) : undefined;
    const unreachable = (why: string): TapewatchError =>
      new TapewatchError('exchange_unreachable', `Can't reach ${origin}: ${why}.`, { retryable: true });
    if (!server) throw unreachable('nobody answers');
    if (network.fails()) {
      await this.sleep(timeoutMs, signal);
      throw unreachable('it took too long');
    }
    const { status, headers, body } = await server.handlers.request(method, pathname, searchParams);
    await this.sleep(network.latency(), signal);
    const lower = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]);
    return { status, headers: Object.fromEntries(lower) as Record<string, string>, body };
  }

  listen(port: number, handlers: ServerHandlers): Promise<Server> {
    const { listening } = this.network;
    const chosen = port === 0 ? this.network.freePort() : port;
    if (listening.has(chosen)) {
      const message = `Port ${chosen} is in use: choose another with --port.`;
      return Promise.reject(new TapewatchError('port_in_use', message));
    }
    listening.set(chosen, { process: this, handlers });
    return Promise.resolve({
      httpUrl: `http://virtual:${chosen}`,
      wsUrl: `ws://virtual:${chosen}`,
      close: () => {
        listening.delete(chosen);
        for (const wire of this.#wires) wire.server.terminate();
        return Promise.resolve();
      },
    });
  }

  #hold(wire: VirtualWire): void {
    this.#wires.add(wire);
  }

  #settled(aborted: string, signal: AbortSignal | undefined, start: (resolve: () => void) => Timer): Promise<void> {
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        timer.cancel();
        reject(new TapewatchError('aborted', aborted));
      };
      const timer = start(() => {
        signal?.removeEventListener('abort', abort);
        resolve();
      });
      if (signal?.aborted) abort();
      else signal?.addEventListener('abort', abort, { once: true });
    });
  }
}
