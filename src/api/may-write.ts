/** Who may write, and how often: options of the routes that change something. */
import { timingSafeEqual } from 'node:crypto';
import type { preParsingAsyncHookHandler, RouteShorthandOptions } from 'fastify';

const LOOPBACK = /^(127\.\d+\.\d+\.\d+|::1|::ffff:127\.\d+\.\d+\.\d+)$/;
const LOCAL_HOST = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?$/;

/** Writes a minute of one address, wrong tokens counted: a person or a script, not a guesser. */
const WRITES_A_MINUTE = 600;

/** Asked before the body is read. */
export function writeGuard(token: string): Pick<RouteShorthandOptions, 'preParsing' | 'config'> {
  return { preParsing: mayWrite(token), config: { rateLimit: { max: WRITES_A_MINUTE, timeWindow: 60_000 } } };
}

/**
 * With a token: who knows it. Without: this computer alone, asked by its name (a page elsewhere that points its own name
 * here is refused) and not by another site's page.
 */
function mayWrite(token: string): preParsingAsyncHookHandler {
  return async (request, reply) => {
    if (token !== '') {
      const given = Buffer.from(/^Bearer (.+)$/.exec(request.headers.authorization ?? '')?.[1] ?? '');
      const wanted = Buffer.from(token);
      if (given.length === wanted.length && timingSafeEqual(given, wanted)) return;
      void reply.header('www-authenticate', 'Bearer');
      throw refusal(401, 'Writes need the token of this server: authorization: Bearer TOKEN.');
    }
    const site = request.headers['sec-fetch-site'];
    const isLocal = LOOPBACK.test(request.ip) && LOCAL_HOST.test(request.headers.host ?? '');
    if (isLocal && (site === undefined || site === 'same-origin' || site === 'none')) return;
    throw refusal(403, 'Without TAPEWATCH_TOKEN only this computer may write: set it where others shall.');
  };
}

function refusal(statusCode: number, message: string): Error {
  return Object.assign(new Error(message), { statusCode });
}
