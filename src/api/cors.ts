/** Pages of other origins may call where the setting `cors-origins` names them; without it no header says so, and none may. */
import type { FastifyInstance } from 'fastify';

const PREFLIGHT_S = '600';

export function allowOrigins(app: FastifyInstance, origins: readonly string[]): void {
  if (origins.length === 0) return;
  app.addHook('onRequest', async (request, reply) => {
    const { origin } = request.headers;
    void reply.header('vary', 'origin');
    if (origin === undefined || !(origins.includes(origin) || origins.includes('*'))) return;
    void reply.header('access-control-allow-origin', origin).header('access-control-expose-headers', 'x-request-id');
    if (request.method !== 'OPTIONS' || !request.headers['access-control-request-method']) return;
    void reply
      .header('access-control-allow-methods', 'GET, POST, PUT')
      .header('access-control-allow-headers', 'authorization, content-type, last-event-id, x-request-id')
      .header('access-control-max-age', PREFLIGHT_S);
    return reply.code(204).send();
  });
}
