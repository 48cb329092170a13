import type { FastifyInstance } from 'fastify';

/** Raises the body limit of the routes in `limits`, to so many bytes. Call it before routes are added. */
export function useBodyLimits(fastify: Pick<FastifyInstance, 'addHook'>, limits: ReadonlyMap<string, number>): void {
  fastify.addHook('onRoute', (route) => {
    const limit = limits.get(route.url);
    if (limit !== undefined) route.bodyLimit = limit;
  });
}
