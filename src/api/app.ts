/** The HTTP API as a Fastify application that listens nowhere: commands listen and close it, tests inject. */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { fastifyHelmet } from '@fastify/helmet';
import { fastifyRateLimit } from '@fastify/rate-limit';
import { fastifySwagger } from '@fastify/swagger';
import { fastifySwaggerUi } from '@fastify/swagger-ui';
import { type TypeBoxTypeProvider, TypeBoxValidatorCompiler } from '@fastify/type-provider-typebox';
import { type FastifyInstance, fastify } from 'fastify';
import type { ServedModels } from '../model/served-models.ts';
import type { Metrics } from '../observe/metrics.ts';
import type { Views } from '../views/views.ts';
import { allowOrigins } from './cors.ts';
import { addExamples } from './examples.ts';
import { addFastPath, type FastPathOptions } from './fast-path/fast-path.ts';
import { type Meter, meter } from './metering.ts';
import { answerWithProblems, refuseConnection, send } from './problem.ts';
import { detectRoutes } from './routes/detect.ts';
import { modelRoutes } from './routes/models.ts';
import { fastInference, openInferenceRoutes } from './routes/open-inference.ts';
import { operationRoutes } from './routes/operation.ts';
import { pageRoutes } from './routes/page.ts';
import { type FindEvidence, readRoutes } from './routes/read.ts';
import { type RecomputeOptions, recomputeRoutes } from './routes/recompute.ts';
import { fastScore, scoreRoutes } from './routes/score.ts';
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
  /** Requests a second that one client's address may make; absent or 0: no limit, as where a gateway before us has one. */
  readonly rateLimit?: number;
  /** Origins whose pages may call; absent: none but its own. */
  readonly origins?: readonly string[];
  /** Told of what answered 5xx. */
  readonly failed?: (error: unknown, requestId: string) => void;
}

/** Of a request, unless the route says more: a model's upload does. */
const BODY_BYTES_MAX = 8 << 20;
const CLOSE_IDLE_MS = 50;
const REQUEST_ID = /^[\w.:-]{1,128}$/;

export async function createApp(options: AppOptions): Promise<FastifyInstance> {
  const { metrics, failed = () => undefined } = options;
  const app = fastify({
    bodyLimit: BODY_BYTES_MAX,
    // What was taken is finished: only connections that wait for a next request are cut.
    forceCloseConnections: 'idle',
    return503OnClosing: false,
    genReqId: requestIdOf,
    clientErrorHandler: (error: Error, socket: Socket) => refuseConnection(error, socket),
    frameworkErrors: (error, request, reply) => send(request, reply, error.statusCode ?? 400, error.message),
    ajv: { customOptions: { removeAdditional: false } },
  }).withTypeProvider<TypeBoxTypeProvider>();
  // Those that end their last request while the server closes are idle only then.
  app.addHook('preClose', (done) => {
    const again = setInterval(() => app.server.closeIdleConnections(), CLOSE_IDLE_MS);
    app.server.once('close', () => clearInterval(again));
    done();
  });
  const count = meter(app, metrics);
  app.addHook('onRequest', (request, reply, done) => {
    void reply.header('x-request-id', request.id);
    done();
  });
  allowOrigins(app, options.origins ?? []);
  answerWithProblems(app, { failed });
  addExamples(app);
  checkBodies(app);
  await app.register(fastifyHelmet, { contentSecurityPolicy: { directives: { upgradeInsecureRequests: null } } });
  await limitRate(app, options.rateLimit ?? 0);
  await document(app, options.version);
  await addRoutes(app, options);
  // A limit counts what Node's server answers.
  if (options.models && !options.rateLimit) addFastPath(app, fastPath(options.models, count));
  return app;
}

async function addRoutes(app: FastifyInstance, options: AppOptions): Promise<void> {
  const { views, write, recompute, models, notReady, version } = options;
  const v1 = { prefix: '/v1' };
  await app.register(readRoutes(views, options.evidence), v1);
  await app.register(streamRoutes(views), v1);
  await app.register(watchRoutes(options), v1);
  if (models) {
    await app.register(scoreRoutes(models), v1);
    await app.register(detectRoutes(models), v1);
    await app.register(modelRoutes({ models, token: write?.token }), v1);
    await app.register(openInferenceRoutes({ models, notReady, version }), { prefix: '/v2' });
  }
  if (write) await app.register(writeRoutes({ ...write, views }), v1);
  if (recompute) await app.register(recomputeRoutes({ views, recompute }), v1);
  await app.register(operationRoutes(options));
  if (options.page) await app.register(pageRoutes(options.page));
}

function fastPath(models: ServedModels, count: Meter): FastPathOptions {
  const score = fastScore(models);
  const inference = fastInference(models);
  return {
    meter: count,
    routeOf: (path, type) => (path === '/v1/score' && isJson(type) ? score : inference(path)),
    bodyBytesMax: BODY_BYTES_MAX,
    isRequestId: (id) => REQUEST_ID.test(id),
  };
}

function isJson(type: string | undefined): boolean {
  return type === 'application/json' || type === 'application/json; charset=utf-8';
}

/** The client's own where it is one, so that a request is found in both logs. */
function requestIdOf({ headers }: IncomingMessage): string {
  const given = headers['x-request-id'];
  return typeof given === 'string' && REQUEST_ID.test(given) ? given : randomUUID();
}

/** Bodies are JSON with types of its own: nothing in them is converted, nothing left out. */
function checkBodies(app: FastifyInstance): void {
  app.addHook('onRoute', (route) => {
    if (route.schema?.body) route.validatorCompiler ??= TypeBoxValidatorCompiler as never;
  });
}

/** Writes have a limit of their own, which the routes give. */
async function limitRate(app: FastifyInstance, aSecond: number): Promise<void> {
  await app.register(fastifyRateLimit, {
    global: aSecond > 0,
    max: Math.max(1, aSecond),
    timeWindow: 1000,
    errorResponseBuilder: (_, { max, ttl, statusCode }) =>
      Object.assign(new Error(`More than ${max} requests: try again in ${Math.ceil(ttl / 1000)} s.`), { statusCode }),
  });
}

async function document(app: FastifyInstance, version: string): Promise<void> {
  const description = 'Anomalies on the trade tape of crypto exchanges. The shell lines work against `tapewatch demo`.';
  await app.register(fastifySwagger, {
    openapi: { openapi: '3.1.0', info: { title: 'Tapewatch', version, description } },
  });
  await app.register(fastifySwaggerUi, { routePrefix: '/docs' });
}
