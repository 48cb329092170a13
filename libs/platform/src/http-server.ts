import { createServer, type RequestListener, type Server } from 'node:http';

/**
 * Bounds for peers that are slow, who may be anybody. Node looks whether they are kept every `connectionsCheckingInterval`,
 * and answers 408.
 */
const TIMEOUTS = { headersTimeout: 10_000, requestTimeout: 30_000, connectionsCheckingInterval: 2_000 };
/** longer than load balancers keep an idle connection, so that they are the ones that close it */
const KEEP_ALIVE_MS = 72_000;
/** A connection on which nothing moves for so long is closed, an answer that nobody reads as well. */
const STALLED_MS = 75_000;

/** An HTTP/1.1 server whose peers have to send their requests, and read the answers, in time. */
export function createBoundedServer(handler: RequestListener): Server {
  const server = createServer({ ...TIMEOUTS, keepAliveTimeout: KEEP_ALIVE_MS }, handler);
  server.setTimeout(STALLED_MS);
  return server;
}
