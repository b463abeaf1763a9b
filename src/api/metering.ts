/** Latency, sizes and requests in flight, by route: cheap enough for answers of tens of microseconds. */
import type { FastifyInstance } from 'fastify';
import type { Metrics } from '../observe/metrics.ts';
import type { HistogramSeries } from '../observe/series-histogram.ts';

interface Series {
  readonly seconds: HistogramSeries;
  readonly requestBytes: HistogramSeries;
  readonly responseBytes: HistogramSeries;
}

/** Counts one answer; `route` is the pattern, not the path. */
export type Meter = (
  method: string,
  route: string,
  status: number,
  ms: number,
  requestBytes: number,
  responseBytes: number,
) => void;

export function meter(app: FastifyInstance, metrics: Metrics): Meter {
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
  const count: Meter = (method, route, status, ms, requestBytes, responseBytes) => {
    const its = of(method, route, status);
    its.seconds.observe(ms / 1000);
    its.requestBytes.observe(requestBytes);
    its.responseBytes.observe(responseBytes);
  };
  const ended = (): void => metrics.httpInFlight.dec();
  app.addHook('onRequest', (_, reply, done) => {
    metrics.httpInFlight.inc();
    // Also where the client goes away before the answer.
    reply.raw.once('close', ended);
    done();
  });
  app.addHook('onResponse', (request, reply, done) => {
    const route = request.routeOptions.url ?? 'none';
    const requestBytes = Number(request.headers['content-length'] ?? 0);
    const responseBytes = Number(reply.getHeader('content-length') ?? 0);
    count(request.method, route, reply.statusCode, reply.elapsedTime, requestBytes, responseBytes);
    done();
  });
  return count;
}
