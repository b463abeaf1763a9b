/** Server-sent events: anomalies (resumed by Last-Event-ID), bars, and one symbol's trades. */
import type { ServerResponse } from 'node:http';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from 'typebox';
import type { Trade } from '../../market/records.ts';
import type { StoredAnomaly, ViewEvent, Views } from '../../views/views.ts';

/** Streams at once. */
const CLIENTS_MAX = 2000;
/** Bytes a client may leave unread before it is dropped. */
const UNREAD_BYTES_MAX = 1 << 20;
const COMMENT_MS = 15_000;
/** Trades are sent together, this often and at most so many: of more only the newest, as a tape shows them. */
const TRADES_MS = 100;
const TRADES_MAX = 100;

const querystring = Type.Object({
  symbol: Type.Optional(Type.String({ pattern: '^[A-Z0-9]{1,20}$', description: 'Whose trades, at a bounded rate' })),
});
const headers = Type.Object({
  'last-event-id': Type.Optional(
    Type.String({ description: 'The last anomaly’s id that came: what followed is sent' }),
  ),
});
const config = { curl: '-N --max-time 2' };

export function streamRoutes(views: Views): FastifyPluginAsyncTypebox {
  let latest: ViewEvent | null = null;
  let text = '';
  // One event goes to every client in turn: it is written out once.
  const textOf = (event: Exclude<ViewEvent, { type: 'trade' }>): string => {
    if (event !== latest) text = written(event);
    latest = event;
    return text;
  };
  const open = new Set<ServerResponse>();
  return async (app) => {
    // A stream never ends by itself: at the end each is closed in order, and its client asks another replica.
    app.addHook('preClose', async () => {
      for (const raw of open) raw.end();
    });
    const response = {
      200: { description: 'Server-sent events', content: { 'text/event-stream': { schema: Type.String() } } },
    };
    app.get('/stream', { schema: { querystring, headers, response }, config }, (request, reply) => {
      if (open.size >= CLIENTS_MAX)
        throw Object.assign(new Error(`There are ${CLIENTS_MAX} streams already: try again later.`), {
          statusCode: 503,
        });
      const { symbol } = request.query;
      reply.hijack();
      const { raw } = reply;
      raw.writeHead(200, {
        'content-type': 'text/event-stream',
        'cache-control': 'no-store',
        'x-accel-buffering': 'no',
      });
      const send = (text: string): void => {
        if (raw.destroyed || raw.writableEnded) return;
        raw.write(text);
        if (raw.writableLength > UNREAD_BYTES_MAX) raw.destroy();
      };
      const last = Number(request.headers['last-event-id'] ?? Number.NaN);
      send(': tapewatch\n\n');
      if (Number.isInteger(last)) for (const stored of views.after(last)) send(anomalyText(stored));
      // A replica that is behind comes by what its client has seen elsewhere.
      const isSeen = (event: ViewEvent): boolean => event.type === 'anomaly' && event.stored.offset <= last;
      let trades: Trade[] = [];
      const off = views.on((event) => {
        if (isSeen(event)) return;
        if (event.type !== 'trade') send(textOf(event));
        else if (event.trade.symbol === symbol) trades.push(event.trade);
      });
      const flush = setInterval(() => {
        if (trades.length === 0) return;
        send(
          trades
            .slice(-TRADES_MAX)
            .map((trade) => `event: trade\ndata: ${JSON.stringify(trade)}\n\n`)
            .join(''),
        );
        trades = [];
      }, TRADES_MS);
      const comment = setInterval(() => send(': still here\n\n'), COMMENT_MS);
      open.add(raw);
      raw.on('close', () => {
        open.delete(raw);
        clearInterval(comment);
        clearInterval(flush);
        off();
      });
    });
  };
}

function written(event: Exclude<ViewEvent, { type: 'trade' }>): string {
  if (event.type === 'anomaly') return anomalyText(event.stored);
  const value = event.type === 'bar' ? event.bar : event.type === 'status' ? event.status : event.annotation;
  return `event: ${event.type}\ndata: ${JSON.stringify(value)}\n\n`;
}

function anomalyText({ offset, anomaly }: StoredAnomaly): string {
  return `id: ${offset}\nevent: anomaly\ndata: ${JSON.stringify(anomaly)}\n\n`;
}
