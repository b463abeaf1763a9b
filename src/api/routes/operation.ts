/** For who runs it: alive, ready, metrics, and the document itself. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import type { ServedModels } from '../../model/served-models.ts';
import type { Metrics } from '../../observe/metrics.ts';

export interface OperationOptions {
  readonly metrics: Metrics;
  readonly notReady: () => string | null;
  readonly models?: ServedModels;
}

export function operationRoutes({ metrics, notReady, models }: OperationOptions): FastifyPluginAsyncTypebox {
  return async (app) => {
    const alive = { 200: Type.Object({ status: Type.Literal('ok') }) };
    app.get('/healthz', { schema: { response: alive } }, () => ({ status: 'ok' as const }));

    const ready = { 200: Type.Object({ status: Type.Literal('ready'), model: Type.Optional(Type.String()) }) };
    app.get('/readyz', { schema: { response: ready } }, () => {
      const reason = notReady();
      if (reason !== null) throw Object.assign(new Error(reason), { statusCode: 503 });
      return { status: 'ready' as const, ...(models ? { model: models.policy.artefact.id } : {}) };
    });

    const text = { description: 'Prometheus text', content: { 'text/plain': { schema: Type.String() } } };
    app.get('/metrics', { schema: { response: { 200: text } } }, async (_, reply) => {
      const { contentType } = metrics.registry;
      void reply.type(contentType).serializer((lines: string) => lines);
      return (await metrics.registry.metrics()) as never;
    });

    app.get('/openapi.json', { schema: { hide: true } }, () => app.swagger());
  };
}
