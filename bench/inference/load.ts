/**
 * HTTP load for both sides alike: requests made beforehand, on sockets that stay open, and answers of which only status and
 * length are read, so that a request costs this side a few microseconds.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export interface LoadOptions {
  readonly port: number;
  /** Whole requests, head and body, sent in turn. */
  readonly requests: readonly Buffer[];
  readonly connections: number;
  /**
   * Requests a second, sent whatever is still unanswered, each millisecond those that are due; null: each connection asks as
   * soon as it is answered.
   */
  readonly rate: number | null;
  readonly seconds: number;
}

export interface Load {
  readonly answered: number;
  readonly seconds: number;
  /** Milliseconds until the answer had come, sorted; a wait for a free connection counts. */
  readonly latencies: Float64Array;
}

interface Connection {
  readonly socket: Socket;
  /** When its request was to be sent. */
  due: number;
}

const HEAD_END = Buffer.from('\r\n\r\n');
const NOTHING: Buffer = Buffer.alloc(0);

/** @throws Error on an answer other than 200, and where a connection is lost. */
export async function load({ port, requests, connections, rate, seconds }: LoadOptions): Promise<Load> {
  const latencies: number[] = [];
  const idle: Connection[] = [];
  /** Due, and no connection free. */
  const waiting: number[] = [];
  const all: Connection[] = [];
  const ended = Promise.withResolvers<void>();
  let sent = 0;
  const began = performance.now();
  const until = began + seconds * 1000;

  const ask = (connection: Connection, due: number): void => {
    connection.due = due;
    connection.socket.write(requests[sent++ % requests.length]!);
  };
  const answered = (connection: Connection): void => {
    const now = performance.now();
    latencies.push(now - connection.due);
    if (now >= until) {
      if (rate === null) ended.resolve();
      return;
    }
    const due = rate === null ? now : waiting.shift();
    if (due === undefined) idle.push(connection);
    else ask(connection, due);
  };
  for (let i = 0; i < connections; i++) {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    await once(socket, 'connect');
    const connection: Connection = { socket, due: 0 };
    const failed = (error: Error): void => ended.reject(error);
    socket.on('error', failed).on('close', () => failed(new Error('The server closed a connection.')));
    socket.on(
      'data',
      answers(() => answered(connection), failed),
    );
    all.push(connection);
  }
  if (rate === null) for (const connection of all) ask(connection, performance.now());
  else {
    idle.push(...all);
    let next = performance.now();
    const send = (): void => {
      // From here on it is the server's time: that this side was woken late is not its doing.
      const now = performance.now();
      for (; next <= now && next < until; next += 1000 / rate) {
        const connection = idle.pop();
        if (connection) ask(connection, now);
        else waiting.push(now);
      }
      if (now >= until) ended.resolve();
      else setTimeout(send, 1);
    };
    send();
  }
  try {
    await ended.promise;
  } finally {
    for (const { socket } of all)
      socket
        .removeAllListeners()
        .on('error', () => undefined)
        .destroy();
  }
  const took = (performance.now() - began) / 1000;
  return { answered: latencies.length, seconds: took, latencies: Float64Array.from(latencies).sort() };
}

export function quantile(sorted: Float64Array, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** What is posted, and under which headers. */
export interface Posted {
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Buffer;
}

export function requestOf(path: string, { headers, body }: Posted): Buffer {
  const lines = Object.entries({ host: '127.0.0.1', ...headers, 'content-length': String(Buffer.byteLength(body)) });
  const head = lines.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  return Buffer.concat([Buffer.from(`POST ${path} HTTP/1.1\r\n${head}\r\n`), Buffer.from(body)]);
}

/** Calls `answered` at the end of each answer of a stream of them. */
function answers(answered: () => void, failed: (error: Error) => void): (chunk: Buffer) => void {
  let rest = NOTHING;
  let missing = 0;
  return (chunk) => {
    let data = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    rest = NOTHING;
    while (data.length > 0) {
      if (missing === 0) {
        const end = data.indexOf(HEAD_END);
        if (end < 0) {
          rest = data;
          return;
        }
        const head = data.toString('latin1', 0, end);
        const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1];
        if (!head.startsWith('HTTP/1.1 200') || length === undefined) {
          failed(new Error(`Not an answer: ${data.toString().slice(0, 1000)}`));
          return;
        }
        missing = Number(length);
        data = data.subarray(end + HEAD_END.length);
      }
      const taken = Math.min(missing, data.length);
      missing -= taken;
      data = data.subarray(taken);
      if (missing === 0) answered();
    }
  };
}
