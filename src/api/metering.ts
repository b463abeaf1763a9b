/** Latency, sizes and requests in flight, by route: cheap enough for answers of tens of microseconds. */
import type { FastifyInstance } from 'fastify';
import type { Metrics } from '../observe/metrics.ts';

interface Series {
  readonly seconds: { observe(value: number): void };
  readonly requestBytes: { observe(value: number): void };
  readonly responseBytes: { observe(value: number): void };
}

export function meter(app: FastifyInstance, metrics: Metrics): void {
  // Labels are looked up once a route, method and status.
  const series = new Map<string, Series>();
  const of = (method: string, route: string, status: number): Series => {
    const key = `${method} ${status} ${route}`;
    let found = series.get(key);
    if (!found) {
      found = {
        seconds: metrics.httpSeconds.labels({ method, route, status: String(status) }),
        requestBytes: metrics.httpRequestBytes.labels({ method, route }),
        responseBytes: metrics.httpResponseBytes.labels({ method, route }),
      };
      series.set(key, found);
    }
    return found;
  };
  const ended = (): void => metrics.httpInFlight.dec();
  app.addHook('onRequest', (_, reply, done) => {
    metrics.httpInFlight.inc();
    // Also where the client goes away before the answer.
    reply.raw.once('close', ended);
    done();
  });
  app.addHook('onResponse', (request, reply, done) => {
    const { seconds, requestBytes, responseBytes } = of(
      request.method,
      request.routeOptions.url ?? 'none',
      reply.statusCode,
    );
    seconds.observe(reply.elapsedTime / 1000);
    requestBytes.observe(Number(request.headers['content-length'] ?? 0));
    responseBytes.observe(Number(reply.getHeader('content-length') ?? 0));
    done();
  });
}
