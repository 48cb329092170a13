import type { FastifyInstance } from 'fastify';

/** A run of documents is sent as a whole, so that they can be judged together. */
const LIMITS: ReadonlyMap<string, number> = new Map([['/declarations/check', 1024 * 1024]]);

/** Lets the few routes that need it take longer bodies than all others. Call it before routes are added. */
export function useBodyLimits(fastify: Pick<FastifyInstance, 'addHook'>): void {
  fastify.addHook('onRoute', (route) => {
    const limit = LIMITS.get(route.url);
    if (limit !== undefined) route.bodyLimit = limit;
  });
}
