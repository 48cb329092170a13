import { createServer, STATUS_CODES, type RequestListener, type Server, type ServerOptions } from 'node:http';
import type { Socket } from 'node:net';
import { Problem } from '@mayfly/kernel';
import type { ConnectionDrain } from './connection-drain.js';
import { renderProblem } from './problem-table.js';

/** Time limits for slow peers; anybody can be one. Node checks them every `connectionsCheckingInterval`. */
const TIMEOUTS: ServerOptions = { headersTimeout: 10_000, requestTimeout: 30_000, connectionsCheckingInterval: 2_000 };
/** longer than load balancers keep an idle connection, so that the load balancer closes it first */
const KEEP_ALIVE_MS = 72_000;
/** A connection without traffic for this long is closed, even when its peer has not read the answer. */
const STALLED_MS = 75_000;

/**
 * Returns an HTTP/1.1 server that bounds the time for sending a request and for reading its answer, and whose
 * connections the drain follows. A request that the parser refuses (a bad request line, too large a header, a late
 * request) gets a problem document, and its connection is closed.
 */
export function createBoundedServer(handler: RequestListener, drain: ConnectionDrain, timeouts = TIMEOUTS): Server {
  const server = createServer({ ...timeouts, keepAliveTimeout: KEEP_ALIVE_MS }, handler);
  server.setTimeout(STALLED_MS);
  drain.follow(server);
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    // The peer would read an answer now as the answer to its earlier, complete request, which is still in process.
    if (error.code === 'ECONNRESET' || !socket.writable || drain.isProcessing(socket)) socket.destroy();
    else socket.end(refusalOf(error.code), () => socket.destroy());
  });
  return server;
}

function refusalOf(code: string | undefined): string {
  const { status, headers, body } = renderProblem(parserProblem(code));
  const text = JSON.stringify(body);
  const fields = {
    ...headers,
    'content-type': `${headers['content-type'] ?? ''}; charset=utf-8`,
    'content-length': String(Buffer.byteLength(text)),
    'x-content-type-options': 'nosniff',
    connection: 'close',
  };
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
  return `HTTP/1.1 ${String(status)} ${STATUS_CODES[status] ?? ''}\r\n${lines.join('')}\r\n${text}`;
}

/** The cases are codes of llhttp and of Node's own checks. */
function parserProblem(code: string | undefined): Problem {
  switch (code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new Problem('request_timeout', 'the request took too long to arrive; send it faster');
    case 'HPE_HEADER_OVERFLOW':
      return new Problem('headers_too_large', 'the headers are over 16 KiB; send less');
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return new Problem('payload_too_large', 'the chunk extensions are too large; leave them out');
    default:
      return new Problem('invalid_request', 'the request is not valid HTTP/1.1; correct the client');
  }
}
