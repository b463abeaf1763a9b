/** Server-sent events: anomalies (resumed by Last-Event-ID), bars, and one symbol's trades. */
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import { TapewatchError } from '../../market/error.ts';
import type { StoredAnomaly, Views } from '../../views/views.ts';

const CLIENTS_MAX = 1000;
/** Bytes a client may leave unread before it is dropped. */
const UNREAD_BYTES_MAX = 1 << 20;
const COMMENT_MS = 15_000;

export function streamRoutes(views: Views): FastifyPluginAsyncTypebox {
  let clients = 0;
  return async (app) => {
    const query = Type.Object({ symbol: Type.Optional(Type.String({ pattern: '^[A-Z0-9]{1,20}$' })) });
    app.get('/stream', { schema: { querystring: query } }, (request, reply) => {
      if (clients >= CLIENTS_MAX)
        throw new TapewatchError('usage', `There are ${CLIENTS_MAX} stream clients already: try again later.`);
      const { symbol } = request.query;
      reply.hijack();
      const { raw } = reply;
      raw.writeHead(200, {
        'content-type': 'text/event-stream',
        'cache-control': 'no-store',
        'x-accel-buffering': 'no',
      });
      const send = (text: string): void => {
        raw.write(text);
        if (raw.writableLength > UNREAD_BYTES_MAX) raw.destroy();
      };
      const sendAnomaly = ({ offset, anomaly }: StoredAnomaly): void =>
        send(`id: ${offset}\nevent: anomaly\ndata: ${JSON.stringify(anomaly)}\n\n`);
      const last = Number(request.headers['last-event-id'] ?? Number.NaN);
      send(': tapewatch\n\n');
      if (Number.isInteger(last)) for (const stored of views.after(last)) sendAnomaly(stored);
      const off = views.on((event) => {
        if (event.type === 'anomaly') sendAnomaly(event.stored);
        else if (event.type === 'bar') send(`event: bar\ndata: ${JSON.stringify(event.bar)}\n\n`);
        else if (event.type === 'status') send(`event: status\ndata: ${JSON.stringify(event.status)}\n\n`);
        else if (event.type === 'annotation') send(`event: annotation\ndata: ${JSON.stringify(event.annotation)}\n\n`);
        else if (event.trade.symbol === symbol) send(`event: trade\ndata: ${JSON.stringify(event.trade)}\n\n`);
      });
      const comment = setInterval(() => send(': still here\n\n'), COMMENT_MS);
      clients++;
      raw.on('close', () => {
        clients--;
        clearInterval(comment);
        off();
      });
    });
  };
}
