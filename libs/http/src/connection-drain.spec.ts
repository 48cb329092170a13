import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { ConnectionDrain, type DrainBounds } from './connection-drain.js';

const FOREVER = 3_600_000;
/** Bounds that no case reaches, so that only the bound that a case sets ends its connection. */
const UNBOUNDED: DrainBounds = { unfinishedMs: FOREVER, unreadMs: FOREVER, answerMs: FOREVER };

let server: Server;
let sockets: Socket[] = [];
afterEach(() => {
  sockets.forEach((socket) => socket.destroy());
  sockets = [];
  server.close().closeAllConnections();
});

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

async function serve(bounds: Partial<DrainBounds>, handler: Handler): Promise<ConnectionDrain> {
  const drain = new ConnectionDrain({ ...UNBOUNDED, ...bounds });
  server = createServer(handler).listen(0, '127.0.0.1');
  drain.follow(server);
  await once(server, 'listening');
  return drain;
}

/** A connection that has sent `text`, once the server has accepted it. */
async function peer(text: string): Promise<{ received: () => string; closed: Promise<unknown>; socket: Socket }> {
  const accepted = once(server, 'connection');
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1').on('error', () => undefined);
  sockets.push(socket);
  let received = '';
  const closed = once(socket, 'close');
  await accepted;
  socket.write(text);
  socket.setEncoding('utf8').on('data', (part: string) => (received += part));
  return { received: () => received, closed, socket };
}

const GET = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n';
const BODY = 'POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{"half":';
const never: Handler = () => undefined;

describe('the end of the connections', () => {
  it('the drain ends an idle keep-alive connection at once', async () => {
    const drain = await serve({}, (_request, response) => response.end('done'));
    const { received, closed, socket } = await peer(GET);
    await once(socket, 'data');
    await Promise.all([drain.drain(), closed]);
    expect(received()).toContain('done');
  });

  it.each([
    ['that has sent nothing', ''],
    ['that has sent half a header', 'GET / HTTP/1.1\r\nHost: loc'],
    ['that has sent half a body', BODY],
  ])('the drain ends a connection %s after a grace', async (_, text) => {
    const drain = await serve({ unfinishedMs: 100 }, never);
    const { closed } = await peer(text);
    await Promise.all([drain.drain(), closed]);
  });

  it('the end of the connections waits for the answer to a complete request, marks it as the last, and closes then', async () => {
    let answer: ServerResponse | undefined;
    const drain = await serve({ unfinishedMs: 0 }, (_request, response) => (answer = response));
    const { received, closed } = await peer(GET);
    await once(server, 'request');
    const silent = await peer('');
    const drained = drain.drain();
    await silent.closed;
    answer?.end('done');
    await Promise.all([drained, closed]);
    expect(received()).toMatch(/connection: close[^]*done/i);
  });

  it('the drain ends a connection when its answer does not come within the bound', async () => {
    const drain = await serve({ answerMs: 100 }, never);
    const { closed } = await peer(GET);
    await once(server, 'request');
    await Promise.all([drain.drain(), closed]);
  });

  it('the drain ends a connection when its peer does not read the answer', async () => {
    const drain = await serve({ unreadMs: 100 }, (_request, response) => response.end(Buffer.alloc(32 * 1024 * 1024)));
    const { socket, closed } = await peer('');
    socket.pause().write(GET);
    await once(server, 'request');
    await drain.drain();
    socket.resume();
    await closed;
  });

  it('the drain ends a connection that arrives during the drain', async () => {
    const drain = await serve({ unfinishedMs: 100, answerMs: FOREVER }, never);
    const first = await peer(GET);
    await once(server, 'request');
    const drained = drain.drain();
    const { closed } = await peer('');
    await closed;
    first.socket.destroy();
    await drained;
  });
});
