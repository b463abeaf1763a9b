/** /healthz, /readyz and /metrics of a process that serves nothing else. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { TapewatchError } from '../market/error.ts';
import type { Metrics } from '../observe/metrics.ts';
import type { Values } from '../settings.ts';

export interface Health {
  readonly address: string;
  close(): Promise<void>;
}

/** `notReady` tells why it is not ready, null where it is. @throws TapewatchError `port_in_use`. */
export async function serveHealth(values: Values, metrics: Metrics, notReady: () => string | null): Promise<Health> {
  const server = createServer((request, response) => {
    const answer = (status: number, type: string, body: string): void => {
      response.writeHead(status, { 'content-type': type }).end(body);
    };
    const path = request.url?.split('?')[0];
    if (path === '/healthz') answer(200, 'application/json', '{"status":"ok"}');
    else if (path === '/readyz') {
      const detail = notReady();
      if (detail === null) answer(200, 'application/json', '{"status":"ready"}');
      else answer(503, 'application/problem+json', problem(503, 'Not ready', detail));
    } else if (path === '/metrics') {
      const { registry } = metrics;
      void registry.metrics().then((text) => answer(200, registry.contentType, text));
    } else
      answer(404, 'application/problem+json', problem(404, 'Not found', 'Here are /healthz, /readyz and /metrics.'));
  });
  const port = values['port'] as number;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) =>
      reject(
        cause.code === 'EADDRINUSE'
          ? new TapewatchError('port_in_use', `Port ${port} is in use: choose another with --port.`, { cause })
          : cause,
      ),
    );
    server.listen(port, values['host'] as string, resolve);
  });
  const { address, port: bound, family } = server.address() as AddressInfo;
  return {
    address: `http://${family === 'IPv6' ? `[${address}]` : address}:${bound}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function problem(status: number, title: string, detail: string): string {
  return JSON.stringify({ type: 'about:blank', title, status, detail });
}
