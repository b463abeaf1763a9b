/** An anomaly recomputed from its tape, as `tapewatch explain` does: the proof that the evidence gives the same score. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { TapewatchError } from '../../market/error.ts';
import type { Anomaly } from '../../market/records.ts';
import type { Views } from '../../views/views.ts';
import { AnomalyShape, ById } from '../schemas.ts';

export interface Recomputed {
  /** `other`: this server has another model or other settings, or another detector, than raised it. */
  readonly verdict: 'same' | 'differs' | 'other';
  readonly anomaly: Anomaly | null;
  /** A sentence, where the verdict is `other`. */
  readonly detail?: string;
}

export interface RecomputeOptions {
  readonly views: Views;
  readonly recompute: (recorded: Anomaly) => Promise<Recomputed>;
}

const RecomputedShape = Type.Object({
  verdict: Type.String({ enum: ['same', 'differs', 'other'] }),
  anomaly: Type.Union([AnomalyShape, Type.Null()]),
  detail: Type.Optional(Type.String()),
});

export function recomputeRoutes({ views, recompute }: RecomputeOptions): FastifyPluginAsyncTypebox {
  let busy = false;
  return async (app) => {
    const response = { 200: RecomputedShape };
    app.get('/anomalies/:id/recompute', { schema: { params: ById, response } }, async (request) => {
      const { id } = request.params;
      const recorded = views.anomaly(id);
      if (!recorded)
        throw new TapewatchError('not_found', `There is no anomaly ${id}: ids are listed at /v1/anomalies.`);
      // It reads a whole tape: one at a time, so that it never stands in the way of scoring.
      if (busy)
        throw Object.assign(new Error('Another one is being recomputed: ask again in a moment.'), { statusCode: 429 });
      busy = true;
      try {
        const { anomaly, ...rest } = await recompute(recorded);
        return { ...rest, anomaly: anomaly as never };
      } finally {
        busy = false;
      }
    });
  };
}
