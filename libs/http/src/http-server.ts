import { createServer, STATUS_CODES, type RequestListener, type Server, type ServerOptions } from 'node:http';
import type { Socket } from 'node:net';
import { Problem } from '@mayfly/kernel';
import type { ConnectionDrain } from './connection-drain.js';
import { renderProblem } from './problem-table.js';

/** Bounds for peers that are slow, who may be anybody. Node looks every `connectionsCheckingInterval` whether they are kept. */
const TIMEOUTS: ServerOptions = { headersTimeout: 10_000, requestTimeout: 30_000, connectionsCheckingInterval: 2_000 };
/** longer than load balancers keep an idle connection, so that they are the ones that close it */
const KEEP_ALIVE_MS = 72_000;
/** A connection on which nothing moves for so long is closed, an answer that nobody reads as well. */
const STALLED_MS = 75_000;

/**
 * An HTTP/1.1 server whose peers have to send their requests, and read the answers, in time, and whose connections the drain
 * knows. What the parser refuses (a bad request line, too large a header, a request that is late) is answered as a problem
 * document, and the connection is closed.
 */
export function createBoundedServer(handler: RequestListener, drain: ConnectionDrain, timeouts = TIMEOUTS): Server {
  const server = createServer({ ...timeouts, keepAliveTimeout: KEEP_ALIVE_MS }, handler);
  server.setTimeout(STALLED_MS);
  drain.follow(server);
  server.on('clientError', (error: NodeJS.ErrnoException, socket: Socket) => {
    // An answer now would be taken for the one to a request that came whole before, and is still processed.
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

/** Codes of llhttp, and of Node's own checks. */
function parserProblem(code: string | undefined): Problem {
  switch (code) {
    case 'ERR_HTTP_REQUEST_TIMEOUT':
      return new Problem('request_timeout', 'the request did not come in time, send it faster');
    case 'HPE_HEADER_OVERFLOW':
      return new Problem('headers_too_large', 'the headers are over 16 KiB, send less');
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return new Problem('payload_too_large', 'the chunk extensions are too large, leave them out');
    default:
      return new Problem('invalid_request', 'the request is not valid HTTP/1.1');
  }
}
