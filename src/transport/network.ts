/** The transport of the real world: `ws` and `undici` outwards, `ws` and node:http for what is hosted, the process's clock. */
import { createServer, STATUS_CODES } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { Agent, request as undiciRequest } from 'undici';
import { WebSocket, WebSocketServer } from 'ws';
import { TapewatchError } from '../market/error.ts';
import type {
  Clock,
  Host,
  HttpRequest,
  HttpResponse,
  Server,
  ServerHandlers,
  Socket,
  SocketHandlers,
  Transport,
} from './transport.ts';

const CONNECT_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 15_000;
const MESSAGE_BYTES_MAX = 4 << 20;

export const processClock: Clock = {
  now: () => Date.now(),
  random: () => Math.random(),
  setTimer(ms, call) {
    const timer = setTimeout(call, ms);
    timer.unref();
    return { cancel: () => clearTimeout(timer) };
  },
  sleep(ms, signal) {
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        clearTimeout(timer);
        reject(new TapewatchError('aborted', 'Waiting was stopped.'));
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', abort);
        resolve();
      }, ms);
      if (signal?.aborted) abort();
      else signal?.addEventListener('abort', abort, { once: true });
    });
  },
};

/** Call `close` at the end: it drops idle connections. */
export function createNetworkTransport(): Transport & { close(): Promise<void> } {
  const agent = new Agent({ keepAliveTimeout: 10_000 });
  return {
    ...processClock,
    connect: (url, handlers, options = {}) =>
      connect(url, handlers, options.timeoutMs ?? CONNECT_TIMEOUT_MS, options.signal),
    request: (request) => send(agent, request),
    close: () => agent.destroy(),
  };
}

function connect(
  url: string,
  handlers: SocketHandlers,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(url, {
      handshakeTimeout: timeoutMs,
      perMessageDeflate: false,
      maxPayload: MESSAGE_BYTES_MAX,
    });
    let opened = false;
    const abort = (): void => socket.terminate();
    signal?.addEventListener('abort', abort, { once: true });
    socket.on('message', (data) => handlers.message(data as Uint8Array));
    socket.on('ping', () => handlers.ping?.());
    socket.on('error', (cause) => {
      if (!opened)
        reject(
          new TapewatchError('exchange_unreachable', `Can't reach ${new URL(url).origin}: ${cause.message}.`, {
            cause,
            retryable: true,
          }),
        );
    });
    socket.on('close', (code, reason) => {
      signal?.removeEventListener('abort', abort);
      if (opened) handlers.close(code, reason.toString());
      else
        reject(
          new TapewatchError('exchange_unreachable', `Can't reach ${new URL(url).origin}: the connection was closed.`, {
            retryable: true,
          }),
        );
    });
    socket.on('open', () => {
      opened = true;
      // Frames may have come together with the answer to the handshake: they wait until the caller has its socket.
      socket.pause();
      let paused = false;
      setImmediate(() => paused || socket.resume());
      resolve({
        send: (text) => socket.send(text),
        pause: () => {
          paused = true;
          socket.pause();
        },
        resume: () => {
          paused = false;
          socket.resume();
        },
        close: (code) => (code === undefined ? socket.terminate() : socket.close(code)),
      });
    });
  });
}

async function send(dispatcher: Agent, request: HttpRequest): Promise<HttpResponse> {
  const { url, method = 'GET', headers = {}, body, timeoutMs = REQUEST_TIMEOUT_MS, signal } = request;
  const until = AbortSignal.any([AbortSignal.timeout(timeoutMs), ...(signal ? [signal] : [])]);
  try {
    const answer = await undiciRequest(url, { dispatcher, method, headers, body: body ?? null, signal: until });
    const flat = Object.entries(answer.headers).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.join(', ') : (value ?? ''),
    ]);
    return {
      status: answer.statusCode,
      headers: Object.fromEntries(flat) as Record<string, string>,
      body: await answer.body.bytes(),
    };
  } catch (cause) {
    if (signal?.aborted) throw new TapewatchError('aborted', 'A request was stopped.', { cause });
    const reason = (cause as Error).message;
    throw new TapewatchError('exchange_unreachable', `Can't reach ${new URL(url).origin}: ${reason}.`, {
      cause,
      retryable: true,
    });
  }
}

export const networkHost: Host = networkHostAt('127.0.0.1');

/** A host whose servers bind `address`; their URLs name it. */
export function networkHostAt(address: string): Host {
  return { ...processClock, listen: (port, handlers) => listen(address, port, handlers) };
}

function listen(address: string, port: number, handlers: ServerHandlers): Promise<Server> {
  const http = createServer((incoming, outgoing) => {
    const url = new URL(incoming.url ?? '/', 'http://local');
    incoming.resume();
    Promise.resolve(handlers.request(incoming.method ?? 'GET', url.pathname, url.searchParams)).then(
      ({ status, headers, body }) => outgoing.writeHead(status, headers).end(body),
      () => outgoing.writeHead(500).end(),
    );
  });
  const sockets = new WebSocketServer({ noServer: true, perMessageDeflate: false });
  http.on('upgrade', (incoming, raw, head) => {
    const url = new URL(incoming.url ?? '/', 'http://local');
    accept(
      url,
      handlers,
      (opened) => sockets.handleUpgrade(incoming, raw, head, opened),
      (status) => refuse(raw, status),
    );
  });
  return new Promise((resolve, reject) => {
    http.once('error', (cause: NodeJS.ErrnoException) => {
      const taken = cause.code === 'EADDRINUSE';
      const message = taken
        ? `Port ${port} is in use: choose another with --port.`
        : `Can't listen on port ${port}: ${cause.message}.`;
      reject(new TapewatchError('port_in_use', message, { cause }));
    });
    http.listen(port, address, () => {
      const { port: actual } = http.address() as AddressInfo;
      resolve({
        httpUrl: `http://${address}:${actual}`,
        wsUrl: `ws://${address}:${actual}`,
        close: () =>
          new Promise((done) => {
            for (const client of sockets.clients) client.terminate();
            http.closeAllConnections();
            http.close(() => done());
          }),
      });
    });
  });
}

function accept(
  url: URL,
  handlers: ServerHandlers,
  open: (opened: (socket: WebSocket) => void) => void,
  refuse: (status: number) => void,
): void {
  let socket: WebSocket | null = null;
  const accepted = handlers.socket(url.pathname, url.searchParams, {
    send: (text) => socket?.send(text),
    ping: (payload) => socket?.ping(payload),
    close: (code, reason) => socket?.close(code, reason),
    terminate: () => socket?.terminate(),
    bufferedBytes: () => socket?.bufferedAmount ?? 0,
  });
  if ('refuse' in accepted) {
    refuse(accepted.refuse);
    return;
  }
  open((opened) => {
    socket = opened;
    opened.on('message', (data) => accepted.message(String(data)));
    opened.on('pong', (payload) => accepted.pong?.(payload.toString()));
    opened.on('close', () => accepted.close());
    opened.on('error', () => undefined);
  });
}

function refuse(raw: Duplex, status: number): void {
  raw.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}
