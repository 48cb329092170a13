import type { FastifyInstance } from 'fastify';

/** Body limits in bytes, by route. A declaration check judges its documents together, so one body carries them all. */
const LIMITS: ReadonlyMap<string, number> = new Map([['/declarations/check', 1024 * 1024]]);

/** Raises the body limit of the routes in `LIMITS`. Call it before routes are added. */
export function useBodyLimits(fastify: Pick<FastifyInstance, 'addHook'>): void {
  fastify.addHook('onRoute', (route) => {
    const limit = LIMITS.get(route.url);
    if (limit !== undefined) route.bodyLimit = limit;
  });
}
