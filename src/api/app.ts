/** The HTTP API as a Fastify application that listens nowhere: commands listen and close it, tests inject. */
import { fastifyHelmet } from '@fastify/helmet';
import { fastifySwagger } from '@fastify/swagger';
import { fastifySwaggerUi } from '@fastify/swagger-ui';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import { type FastifyInstance, fastify } from 'fastify';
import { TapewatchError } from '../market/error.ts';
import type { ServedModels } from '../model/served-models.ts';
import type { Metrics } from '../observe/metrics.ts';
import type { Views } from '../views/views.ts';
import { detectRoutes } from './routes/detect.ts';
import { modelRoutes } from './routes/models.ts';
import { pageRoutes } from './routes/page.ts';
import { type FindEvidence, readRoutes } from './routes/read.ts';
import { type RecomputeOptions, recomputeRoutes } from './routes/recompute.ts';
import { scoreRoutes } from './routes/score.ts';
import { streamRoutes } from './routes/stream.ts';
import { watchRoutes } from './routes/watch.ts';
import { type WriteOptions, writeRoutes } from './routes/write.ts';

export interface AppOptions {
  readonly views: Views;
  readonly metrics: Metrics;
  /** Why it is not ready, or null where it is. */
  readonly notReady: () => string | null;
  readonly version: string;
  /** Where what people say is written; absent: nothing can be written. */
  readonly write?: Omit<WriteOptions, 'views'>;
  /** Recomputes an anomaly from its tape; absent: it can't be asked for. */
  readonly recompute?: RecomputeOptions['recompute'];
  /** An anomaly's evidence in the log; absent: only what the view holds. */
  readonly evidence?: FindEvidence;
  /** The models, of which the one in force scores and detects; absent: none of that is there. */
  readonly models?: ServedModels;
  /** Folder of the built dashboard, null where there is none. */
  readonly page?: string | null;
}

const BODY_BYTES_MAX = 8 << 20;

export async function createApp(options: AppOptions): Promise<FastifyInstance> {
  const { metrics, notReady } = options;
  const app = fastify({
    bodyLimit: BODY_BYTES_MAX,
    forceCloseConnections: true,
  }).withTypeProvider<TypeBoxTypeProvider>();
  await app.register(fastifyHelmet, { contentSecurityPolicy: { directives: { upgradeInsecureRequests: null } } });
  await app.register(fastifySwagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Tapewatch',
        version: options.version,
        description: 'Anomalies on the trade tape of crypto exchanges.',
      },
    },
  });
  await app.register(fastifySwaggerUi, { routePrefix: '/docs' });
  app.addHook('onResponse', (request, reply, done) => {
    const labels = {
      method: request.method,
      route: request.routeOptions.url ?? 'none',
      status: String(reply.statusCode),
    };
    metrics.httpSeconds.observe(labels, reply.elapsedTime / 1000);
    done();
  });
  app.setErrorHandler((error: unknown, request, reply) => {
    const { statusCode, message } = error as { statusCode?: number; message: string };
    const status = error instanceof TapewatchError ? (error.code === 'not_found' ? 404 : 400) : (statusCode ?? 500);
    void reply
      .code(status)
      .type('application/problem+json')
      .send(problem(status, status < 500 ? message : 'The request failed.', request.id));
  });
  app.setNotFoundHandler((request, reply) => {
    void reply
      .code(404)
      .type('application/problem+json')
      .send(problem(404, `There is nothing at ${request.url}.`, request.id));
  });
  await app.register(readRoutes(options.views, options.evidence), { prefix: '/v1' });
  await app.register(streamRoutes(options.views), { prefix: '/v1' });
  await app.register(watchRoutes(options), { prefix: '/v1' });
  const { views, write, recompute, models } = options;
  if (models) {
    await app.register(scoreRoutes(models), { prefix: '/v1' });
    await app.register(detectRoutes(models), { prefix: '/v1' });
    await app.register(modelRoutes({ models, token: write?.token }), { prefix: '/v1' });
  }
  if (write) await app.register(writeRoutes({ ...write, views }), { prefix: '/v1' });
  if (recompute) await app.register(recomputeRoutes({ views, recompute }), { prefix: '/v1' });
  if (options.page) await app.register(pageRoutes(options.page));
  app.get('/openapi.json', { schema: { hide: true } }, () => app.swagger());
  app.get('/healthz', { schema: { hide: true } }, () => ({ status: 'ok' }));
  app.get('/readyz', { schema: { hide: true } }, (request, reply) => {
    const reason = notReady();
    if (reason === null) return { status: 'ready', ...(models ? { model: models.policy.artefact.id } : {}) };
    return reply
      .code(503)
      .type('application/problem+json')
      .send(problem(503, reason, request.id));
  });
  app.get('/metrics', { schema: { hide: true } }, async (_, reply) =>
    reply.type(metrics.registry.contentType).send(await metrics.registry.metrics()),
  );
  return app;
}

const TITLES: Readonly<Record<number, string>> = {
  401: 'No or a wrong token',
  403: 'Not allowed',
  404: 'Not found',
  429: 'Too many',
  503: 'Not ready',
};

/** RFC 9457. */
function problem(status: number, detail: string, requestId: string): Record<string, unknown> {
  const title = TITLES[status] ?? (status < 500 ? 'Bad request' : 'Internal error');
  return { type: 'about:blank', title, status, detail, requestId };
}
