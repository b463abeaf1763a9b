/** The page at `/`: the built dashboard as static files, compressed when they were built. */
import { fastifyStatic } from '@fastify/static';
import type { FastifyPluginAsync } from 'fastify';

const YEAR_S = 31_536_000;

/** Serves `folder`. Files under assets/ carry their hash in their name and never change; the rest is asked for anew. */
export function pageRoutes(folder: string): FastifyPluginAsync {
  return async (app) => {
    await app.register(fastifyStatic, {
      root: folder,
      preCompressed: true,
      cacheControl: false,
      decorateReply: false,
      setHeaders: (reply, path) => {
        const fixed = path.includes('/assets/') || path.includes('\\assets\\');
        void reply.header('cache-control', fixed ? `public, max-age=${YEAR_S}, immutable` : 'no-cache');
      },
    });
  };
}
