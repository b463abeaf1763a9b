/** What every transport keeps: if one of these fails, capture or the simulator is right on one transport and wrong on the other. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type {
  Host,
  Server,
  ServerHandlers,
  ServerSocket,
  Socket,
  SocketHandlers,
  Transport,
} from '../../src/transport/transport.ts';

export interface OpenedTransport {
  readonly transport: Transport;
  readonly host: Host;
  /** Gives what `work` gives, and lets time pass until then. */
  drive<T>(work: Promise<T>): Promise<T>;
  dispose(): Promise<void>;
}

const text = (data: Uint8Array): string => new TextDecoder().decode(data);
const answer = (status: number, body: string) => ({
  status,
  headers: { 'X-Mbx-Used-Weight-1m': '7' },
  body: new TextEncoder().encode(body),
});

/** A server that keeps what it hears. */
class Heard {
  readonly lines: string[] = [];
  readonly sockets: ServerSocket[] = [];
  closes = 0;

  handlers(greeting: readonly string[] = []): ServerHandlers {
    return {
      request: (method, path, query) => answer(200, `${method} ${path} ${query.get('q')}`),
      socket: (path, query, socket) => {
        if (path !== '/stream') return { refuse: 404 };
        this.lines.push(`open ${query.get('streams')}`);
        this.sockets.push(socket);
        queueMicrotask(() => {
          for (const line of greeting) socket.send(line);
        });
        return {
          message: (line) => this.lines.push(line),
          pong: (payload) => this.lines.push(`pong ${payload}`),
          close: () => this.closes++,
        };
      },
    };
  }
}

/** A client that keeps what it is given. */
class Given implements SocketHandlers {
  readonly lines: string[] = [];
  readonly closes: number[] = [];
  message(data: Uint8Array): void {
    this.lines.push(text(data));
  }
  close(code: number): void {
    this.closes.push(code);
  }
}

export function transportContract(name: string, open: () => Promise<OpenedTransport>): void {
  const run = (
    what: string,
    check: (opened: OpenedTransport, until: (done: () => boolean) => Promise<void>) => Promise<void>,
  ): void => {
    test(`${name}: ${what}`, async () => {
      const opened = await open();
      const { transport, drive } = opened;
      const until = (done: () => boolean): Promise<void> => {
        const wait = async (): Promise<void> => {
          for (let waited = 0; !done(); waited++) {
            assert.ok(waited < 1000, 'it never came');
            await transport.sleep(10);
          }
        };
        return drive(wait());
      };
      try {
        await check(opened, until);
      } finally {
        await opened.dispose();
      }
    });
  };
  const start = async (
    { host, transport, drive }: OpenedTransport,
    heard: Heard,
    given: Given,
    greeting: string[] = [],
  ) => {
    const server = await drive(host.listen(0, heard.handlers(greeting)));
    const socket = await drive(transport.connect(`${server.wsUrl}/stream?streams=a/b`, given));
    return { server, socket };
  };

  run('messages come in order, both ways, and none before the caller has its socket', async (opened, until) => {
    const heard = new Heard();
    const lines = Array.from({ length: 300 }, (_, i) => `line ${i}`);
    const { host, transport, drive } = opened;
    const server = await drive(host.listen(0, heard.handlers(lines)));
    const given: string[] = [];
    let mine: Socket | null = null;
    const connecting = transport
      .connect(`${server.wsUrl}/stream?streams=a/b`, {
        message: (data) => given.push(mine ? text(data) : 'too early'),
        close: () => undefined,
      })
      .then(async (socket) => {
        await Promise.resolve();
        mine = socket;
        return socket;
      });
    const socket = await drive(connecting);
    await until(() => given.length >= 300);
    assert.deepEqual(given, lines);
    for (const line of lines) socket.send(line);
    await until(() => heard.lines.length > 300);
    assert.deepEqual(heard.lines, ['open a/b', ...lines]);
    socket.close();
    await server.close();
  });

  run('a ping is answered with its payload', async (opened, until) => {
    const heard = new Heard();
    const { server, socket } = await start(opened, heard, new Given());
    heard.sockets[0]!.ping('1234');
    await until(() => heard.lines.includes('pong 1234'));
    socket.close();
    await server.close();
  });

  run('who pauses is given nothing, the sender sees it, and nothing is lost', async (opened, until) => {
    const heard = new Heard();
    const given = new Given();
    const { server, socket } = await start(opened, heard, given);
    const [remote] = heard.sockets;
    socket.pause();
    const large = 'x'.repeat(100_000);
    for (let i = 0; i < 200; i++) remote!.send(`${i} ${large}`);
    await opened.drive(opened.transport.sleep(100));
    assert.ok(given.lines.length < 10, 'what was under way may still come');
    assert.ok(remote!.bufferedBytes() > 1_000_000);
    socket.resume();
    await until(() => given.lines.length === 200);
    assert.ok(given.lines.every((line, i) => line.startsWith(`${i} `)));
    await until(() => remote!.bufferedBytes() === 0);
    socket.close();
    await server.close();
  });

  run(
    'whoever closes, both hear it once: a goodbye with its code, after what was said, a cut without',
    async (opened, until) => {
      for (const [how, code] of [
        [(remote: ServerSocket) => remote.close(1001), 1001],
        [(remote: ServerSocket) => remote.terminate(), 1006],
        [(_: ServerSocket, socket: Socket) => socket.close(), 1006],
      ] as const) {
        const heard = new Heard();
        const given = new Given();
        const { server, socket } = await start(opened, heard, given);
        heard.sockets[0]!.send('last words');
        if (code === 1006) await until(() => given.lines.length === 1);
        how(heard.sockets[0]!, socket);
        await until(() => given.closes.length > 0 && heard.closes > 0);
        await opened.drive(opened.transport.sleep(50));
        assert.deepEqual([given.closes, heard.closes, given.lines], [[code], 1, ['last words']]);
        await server.close();
      }
    },
  );

  run(
    'a server may refuse a connection, and one that is gone or never was is unreachable',
    async ({ host, transport, drive }) => {
      const heard = new Heard();
      const server: Server = await drive(host.listen(0, heard.handlers()));
      const unreachable = { code: 'exchange_unreachable', retryable: true };
      await assert.rejects(drive(transport.connect(`${server.wsUrl}/elsewhere`, new Given())), unreachable);
      await server.close();
      await assert.rejects(drive(transport.connect(`${server.wsUrl}/stream`, new Given())), unreachable);
      await assert.rejects(drive(transport.request({ url: `${server.httpUrl}/x` })), unreachable);
    },
  );

  run(
    'a request brings path and query there, and status, headers and body back',
    async ({ host, transport, drive }) => {
      const server = await drive(host.listen(0, new Heard().handlers()));
      const { status, headers, body } = await drive(
        transport.request({ url: `${server.httpUrl}/api/v3/time?q=%5B1%5D` }),
      );
      assert.deepEqual([status, headers['x-mbx-used-weight-1m'], text(body)], [200, '7', 'GET /api/v3/time [1]']);
      const stopped = AbortSignal.abort();
      await assert.rejects(drive(transport.request({ url: server.httpUrl, signal: stopped })), { code: 'aborted' });
      await server.close();
    },
  );

  run('a port is given once', async ({ host, drive }) => {
    const server = await drive(host.listen(0, new Heard().handlers()));
    const port = Number(new URL(server.httpUrl).port);
    await assert.rejects(drive(host.listen(port, new Heard().handlers())), { code: 'port_in_use', message: /--port/ });
    await server.close();
  });

  run(
    'timers fire in order of time unless cancelled; a sleep ends early when it is told to',
    async ({ transport, drive }) => {
      const fired: string[] = [];
      const before = transport.now();
      transport.setTimer(60, () => fired.push('late'));
      transport.setTimer(20, () => fired.push('early'));
      transport.setTimer(40, () => fired.push('never')).cancel();
      const ending = new AbortController();
      transport.setTimer(30, () => ending.abort());
      await assert.rejects(drive(transport.sleep(60_000, ending.signal)), { code: 'aborted' });
      await drive(transport.sleep(100));
      assert.deepEqual(fired, ['early', 'late']);
      assert.ok(transport.now() - before >= 90);
    },
  );
}
