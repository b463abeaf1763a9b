/**
 * Scores answered on the socket itself. Node's HTTP server and the framework cost many times what scoring a row does, so a
 * plain POST to a scoring route is read and answered here. A connection that brings anything else (another route, a request
 * that is not plain, one that would be answered with an error) goes to Node's server for good, with the bytes it has
 * brought: this way knows only how to succeed, and requests are refused in one place (docs/decisions/fast-path.md).
 */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { elapsedMs, httpDate } from '../../observe/clock.ts';
import type { Meter } from '../metering.ts';
import { Connection } from './connection.ts';
import { type PlainHead, plainHead } from './request-head.ts';

/** What a route can answer at once. */
export interface FastRoute {
  /** As metrics name it. */
  readonly route: string;
  /** null, or an error: not at once, or not with success. `jsonBytes` as `Inference-Header-Content-Length` says. */
  answer(body: Buffer, jsonBytes: string | undefined): FastAnswer | null;
}

export interface FastAnswer {
  readonly json: string;
  /** Bytes behind the JSON, as Latin-1; null: the answer is JSON alone. */
  readonly tensors: string | null;
}

export interface FastPathOptions {
  readonly meter: Meter;
  /** The route that answers a path, null where none is fast. */
  readonly routeOf: (path: string, contentType: string | undefined) => FastRoute | null;
  /** A longer body goes the other way. */
  readonly bodyBytesMax: number;
  readonly isRequestId: (id: string) => boolean;
}

/** An answer that every server with models gives: what stands on it stands on all. */
const PROBE = '/v2/health/live';
/** Headers that each answer has its own of. */
const OWN: ReadonlySet<string> = new Set(['content-type', 'content-length', 'x-request-id', 'date', 'connection']);
const HEAD_END = Buffer.from('\r\n\r\n');
/** Clients send the same head again and again. */
const HEADS_MAX = 256;
/** A timer of each socket would be set anew at each read and write. */
const SWEEP_MS = 1000;

export function addFastPath(app: FastifyInstance, options: FastPathOptions): void {
  const open = new Set<Connection>();
  let sweep: NodeJS.Timeout | undefined;
  app.addHook('onListen', async () => {
    const server = app.server as Server;
    const { headers } = await app.inject(PROBE);
    const common = Object.entries(headers).filter(([name]) => !OWN.has(name));
    const lines = common.map(([name, value]) => `${name}: ${String(value)}`);
    const fast = new FastPath(options, lines, server.keepAliveTimeout);
    const ordinary = server.listeners('connection');
    server.removeAllListeners('connection');
    server.on('connection', (socket: Socket) => {
      const connection = new Connection(fast, socket, () => {
        open.delete(connection);
        for (const listener of ordinary) listener.call(server, socket);
      });
      open.add(connection);
      socket.once('close', () => open.delete(connection));
    });
    sweep = setInterval(() => {
      for (const connection of open) connection.closeIdle(elapsedMs() - server.keepAliveTimeout);
    }, SWEEP_MS).unref();
  });
  app.addHook('preClose', async () => {
    clearInterval(sweep);
    for (const connection of open) connection.close();
  });
}

/** A head, understood. */
export interface Known {
  /** The empty line included. */
  readonly bytes: Buffer;
  readonly head: PlainHead;
  readonly route: FastRoute;
}

/** What all connections share. */
export class FastPath {
  readonly meter: Meter;
  readonly #options: FastPathOptions;
  readonly #common: string;
  readonly #heads = new Map<string, Known>();
  /** That have an answer to send. */
  readonly #answered: Connection[] = [];

  constructor(options: FastPathOptions, common: readonly string[], idleMs: number) {
    this.meter = options.meter;
    this.#options = options;
    const kept = ['connection: keep-alive', `keep-alive: timeout=${Math.floor(idleMs / 1000)}`];
    this.#common = [...common, ...kept].join('\r\n');
  }

  /** The head at the beginning of `bytes`; null where it is not whole, or what it asks for is not answered here. */
  known(bytes: Buffer, last: Known | null): Known | null {
    // As a client's requests mostly differ in their bodies alone.
    if (
      last &&
      bytes.length >= last.bytes.length &&
      bytes.compare(last.bytes, 0, last.bytes.length, 0, last.bytes.length) === 0
    )
      return last;
    const end = bytes.indexOf(HEAD_END);
    if (end < 0) return null;
    const text = bytes.toString('latin1', 0, end);
    const known = this.#heads.get(text);
    if (known) return known;
    const { routeOf, bodyBytesMax, isRequestId } = this.#options;
    const head = plainHead(text);
    const route = head && routeOf(head.path, head.contentType);
    if (!route || head.bodyBytes > bodyBytesMax) return null;
    if (head.requestId !== undefined && !isRequestId(head.requestId)) return null;
    const made = { head, route, bytes: Buffer.from(bytes.subarray(0, end + HEAD_END.length)) };
    if (head.requestId === undefined) {
      if (this.#heads.size >= HEADS_MAX) this.#heads.clear();
      this.#heads.set(text, made);
    }
    return made;
  }

  /**
   * Once all that has come is read: answers sent one behind the other wake a client once, and waking it is most of what
   * sending costs.
   */
  flushLater(connection: Connection): void {
    if (this.#answered.push(connection) === 1) setImmediate(this.#flush);
  }

  readonly #flush = (): void => {
    for (const connection of this.#answered) connection.flush();
    this.#answered.length = 0;
  };

  /** `jsonBytes`: null where the body is JSON alone. */
  head(requestId: string, bodyBytes: number, jsonBytes: number | null): string {
    const type =
      jsonBytes === null
        ? 'content-type: application/json; charset=utf-8'
        : `content-type: application/octet-stream\r\ninference-header-content-length: ${jsonBytes}`;
    return `HTTP/1.1 200 OK\r\nx-request-id: ${requestId}\r\n${this.#common}\r\n${type}\r\ncontent-length: ${bodyBytes}\r\ndate: ${httpDate()}\r\n\r\n`;
  }
}
