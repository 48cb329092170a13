import { once } from 'node:events';
import type { Server, ServerResponse } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { ConnectionDrain } from './connection-drain.js';
import { createBoundedServer } from './http-server.js';

let server: Server;
let pending: ServerResponse[];
beforeEach(async () => {
  pending = [];
  const timeouts = { headersTimeout: 100, requestTimeout: 200, connectionsCheckingInterval: 20 };
  server = createBoundedServer((_request, response) => pending.push(response), new ConnectionDrain(), timeouts);
  await once(server.listen(0, '127.0.0.1'), 'listening');
});
afterEach(() => {
  server.close().closeAllConnections();
});

/** All that comes back on a connection that has sent `text`, until the server closes it. */
async function exchange(text: string): Promise<string> {
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1').setEncoding('utf8');
  let received = '';
  socket.on('data', (part: string) => (received += part)).on('error', () => undefined);
  socket.write(text);
  await once(socket, 'close');
  return received;
}

const START = 'POST / HTTP/1.1\r\nHost: localhost\r\n';

describe('what the parser refuses is a problem document, and the end of the connection', () => {
  it.each([
    ['a bad request line', 'NONSENSE\r\n\r\n', 400, 'invalid_request'],
    ['another protocol', '\u0016\u0003\u0001 hello', 400, 'invalid_request'],
    ['no host', 'GET / HTTP/1.1\r\nHo st: a\r\n\r\n', 400, 'invalid_request'],
    ['two lengths', `${START}Content-Length: 1\r\nContent-Length: 2\r\n\r\n`, 400, 'invalid_request'],
    ['too large a header', `${START}X-Large: ${'x'.repeat(20_000)}\r\n\r\n`, 431, 'headers_too_large'],
    ['half a header', START, 408, 'request_timeout'],
    ['half a body', `${START}Content-Length: 10\r\n\r\nhalf`, 408, 'request_timeout'],
  ])(
    'the HTTP parser answers its refusal with a problem document and closes the connection: %s',
    async (_, text, status, code) => {
      const [head = '', body = ''] = (await exchange(text)).split('\r\n\r\n');
      expect(head).toMatch(new RegExp(`^HTTP/1.1 ${String(status)} `));
      expect(head).toMatch(/^content-type: application\/problem\+json; charset=utf-8\r?$/m);
      expect(head).toMatch(/^connection: close\r?$/m);
      expect(JSON.parse(body)).toMatchObject({ type: `urn:mayfly:problem:${code}`, status });
    },
  );

  it('the HTTP parser answers nothing when the client could take it for the answer to an earlier request', async () => {
    const received = exchange(`${START}\r\nNONSENSE\r\n\r\n`);
    expect(await received).toBe('');
    expect(pending).toHaveLength(1);
  });
});
