/** Errors as problem+json (RFC 9457), whatever failed and wherever. */
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from 'fastify';
import { Type } from 'typebox';
import { type ErrorCode, TapewatchError } from '../market/error.ts';

const TYPE = 'application/problem+json';

const Problem = Type.Object({
  type: Type.String(),
  title: Type.String(),
  status: Type.Integer(),
  detail: Type.String({ description: 'What is wrong, and what to do' }),
  requestId: Type.String({ description: 'As in x-request-id' }),
  error: Type.Optional(Type.String({ description: 'The detail, under /v2, where clients look for it' })),
});
const response = { description: 'What went wrong', content: { [TYPE]: { schema: Problem } } };

/** Of what no user can help. Everything else is a request that can't be served as it is: 400. */
const STATUS: { readonly [Code in ErrorCode]?: number } = {
  not_found: 404,
  log_busy: 503,
  log_full: 503,
  log_unavailable: 503,
  fenced: 503,
  exchange_unreachable: 503,
  aborted: 503,
  log_corrupt: 500,
};

export interface ProblemOptions {
  /** Told of what answered 5xx: the client sees only that it failed. */
  readonly failed: (error: unknown, requestId: string) => void;
}

/** All routes registered from here on answer errors as problems, and say so in the document. */
export function answerWithProblems(app: FastifyInstance, { failed }: ProblemOptions): void {
  const methods = new Map<RegExp, Set<string>>();
  app.addHook('onRoute', (route: RouteOptions) => {
    const schema = route.schema ?? {};
    const responses = (schema.response ?? {}) as Record<string, unknown>;
    route.schema = { ...schema, response: { ...responses, '4xx': response, '5xx': response } };
    if (!route.url.includes('*')) remember(methods, route);
  });
  const nothing = (request: FastifyRequest, reply: FastifyReply): void => {
    const path = request.url.split('?')[0]!;
    const allowed = [...methods].filter(([pattern]) => pattern.test(path)).flatMap(([, its]) => [...its]);
    const list = [...new Set(allowed)].join(', ');
    if (list !== '') void reply.header('allow', list);
    if (list === '') send(request, reply, 404, `There is nothing at ${path}.`);
    else send(request, reply, 405, `${path} does not know ${request.method}, but ${list}.`);
  };
  app.setErrorHandler((error: unknown, request, reply) => {
    // A body where nothing is: what is wrong is not the body.
    if (request.is404) return nothing(request, reply);
    const { statusCode, message } = error as { statusCode?: number; message: string };
    const status = error instanceof TapewatchError ? (STATUS[error.code] ?? 400) : (statusCode ?? 500);
    const known = status < 500 || error instanceof TapewatchError || statusCode === 503;
    if (status >= 500 && statusCode !== 503) failed(error, request.id);
    send(request, reply, status, known ? message : 'The request failed; the server’s log says why.');
  });
  app.setNotFoundHandler(nothing);
}

export function send(request: FastifyRequest, reply: FastifyReply, status: number, detail: string): void {
  const title = STATUS_CODES[status] ?? 'Error';
  const problem = { type: 'about:blank', title, status, detail, requestId: request.id };
  const isInference = request.url.startsWith('/v2');
  void reply
    .code(status)
    .type(TYPE)
    .header('x-request-id', request.id)
    .serializer(JSON.stringify)
    .send(isInference ? { ...problem, error: detail } : problem);
}

/** For what is no HTTP, or has headers too long: there is no request to answer. */
export function refuseConnection(error: Error & { code?: string }, socket: Socket): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const status = error.code === 'HPE_HEADER_OVERFLOW' ? 431 : error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : 400;
  const title = STATUS_CODES[status]!;
  const detail = 'This is no HTTP request that the server can read.';
  const body = JSON.stringify({ type: 'about:blank', title, status, detail, requestId: '' });
  socket.end(
    `HTTP/1.1 ${status} ${title}\r\nContent-Type: ${TYPE}\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}

function remember(methods: Map<RegExp, Set<string>>, { url, method }: RouteOptions): void {
  const source = url.replace(/[.+]/g, '\\$&').replace(/:[a-zA-Z]+/g, '[^/]+');
  const known = [...methods].find(([pattern]) => pattern.source === new RegExp(`^${source}/?$`).source);
  const its = known?.[1] ?? new Set<string>();
  if (!known) methods.set(new RegExp(`^${source}/?$`), its);
  for (const each of [method].flat()) its.add(each);
}
