/** What people may say of an anomaly: that they have seen it, and that it was or was not interesting. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import type { EventLog } from '../../event-log/event-log.ts';
import type { TopicNames } from '../../event-log/topics.ts';
import { TapewatchError } from '../../market/error.ts';
import { type Anomaly, type Feedback, incidentOf } from '../../market/records.ts';
import type { Annotation } from '../../views/annotations.ts';
import type { Views } from '../../views/views.ts';
import { writeGuard } from '../may-write.ts';
import { ById } from '../schemas.ts';

export interface WriteOptions {
  readonly views: Views;
  readonly log: EventLog;
  readonly topics: TopicNames;
  /** Bearer token that writes need; '': none, and only this computer may write. */
  readonly token: string;
}

const AnnotationShape = Type.Object({
  incident: Type.String(),
  acknowledged: Type.Boolean(),
  verdict: Type.Union([Type.Literal('not_interesting'), Type.Literal('interesting'), Type.Null()]),
  timestamp: Type.Number(),
});
const verdict = Type.Union([Type.Literal('not_interesting'), Type.Literal('interesting')]);
const Said = Type.Object({ verdict }, { examples: [{ verdict: 'interesting' }] });
const answers = { 200: AnnotationShape };

export function writeRoutes({ views, log, topics, token }: WriteOptions): FastifyPluginAsyncTypebox {
  const annotate = async (anomaly: Anomaly, said: Partial<Annotation>): Promise<Annotation> => {
    const incident = incidentOf(anomaly.id);
    const timestamp = Math.max(anomaly.timestamp, views.symbol(anomaly.symbol)?.timestamp ?? 0);
    const before = views.annotation(incident) ?? { incident, acknowledged: false, verdict: null };
    const annotation: Annotation = { ...before, ...said, incident, timestamp };
    await log.append([{ topic: topics.annotations, key: incident, value: Buffer.from(JSON.stringify(annotation)) }]);
    return annotation;
  };
  return async (app) => {
    app.get(
      '/annotations',
      { schema: { response: { 200: Type.Object({ items: Type.Array(AnnotationShape) }) } } },
      () => ({ items: [...views.annotations()] }),
    );

    const guard = writeGuard(token);
    app.post('/anomalies/:id/acknowledge', { ...guard, schema: { params: ById, response: answers } }, (request) =>
      annotate(known(views, request.params.id), { acknowledged: true }),
    );

    app.post(
      '/anomalies/:id/feedback',
      { ...guard, schema: { params: ById, body: Said, response: { ...answers } } },
      async (request) => {
        const anomaly = known(views, request.params.id);
        const { symbol, kind, id } = anomaly;
        const annotation = await annotate(anomaly, { verdict: request.body.verdict, acknowledged: true });
        const { timestamp } = annotation;
        const feedback: Feedback = {
          type: 'feedback',
          symbol,
          timestamp,
          anomaly: id,
          kind,
          verdict: request.body.verdict,
        };
        await log.append([{ topic: topics.trades, key: symbol, value: Buffer.from(JSON.stringify(feedback)) }]);
        return annotation;
      },
    );
  };
}

function known(views: Views, id: string): Anomaly {
  const anomaly = views.anomaly(id);
  if (!anomaly) throw new TapewatchError('not_found', `There is no anomaly ${id}: ids are listed at /v1/anomalies.`);
  return anomaly;
}
