import { createServer as createHttpServer } from 'node:http';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from '@jest/globals';
import { exchange } from './exchange.js';

let server: Server | undefined;
afterEach(() => {
  server?.close();
});

async function listening(started: Server): Promise<string> {
  server = started;
  await new Promise<void>((resolve) => started.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${String((started.address() as AddressInfo).port)}/`;
}

const ask = (url: string, timeoutMs = 5_000) => exchange({ method: 'GET', url, headers: {}, timeoutMs });

describe('an exchange', () => {
  it('an exchange sends a body as it is and reads the whole answer', async () => {
    const url = await listening(
      createHttpServer((request, response) => {
        response.writeHead(201, { etag: '"1"' });
        request.pipe(response);
      }),
    );
    const answer = await exchange({ method: 'POST', url, headers: {}, body: 'grüße', timeoutMs: 5_000 });
    expect({ ...answer, etag: answer.header('etag') }).toMatchObject({ status: 201, text: 'grüße', etag: '"1"' });
    expect(answer.header('location')).toBeUndefined();
  });

  it.each<[string, (socket: Socket) => unknown]>([
    ['closed at once', (socket) => socket.destroy()],
    ['reset at once', (socket) => socket.resetAndDestroy()],
    ['closed by the other side in order', (socket) => socket.end()],
    ['cut within an answer', (socket) => socket.end('HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf')],
  ])('an exchange fails within a moment on a connection that is %s', async (_how, act) => {
    const url = await listening(
      createServer((socket) => {
        socket.on('error', () => undefined);
        act(socket);
      }),
    );
    for (let round = 0; round < 10; round += 1) {
      await expect(ask(url)).rejects.toHaveProperty('code', expect.stringMatching(/ECONNRESET|EPIPE/));
    }
  });

  it('an exchange is over when it takes too long', async () => {
    const sockets: Socket[] = [];
    const url = await listening(createServer((socket) => sockets.push(socket.on('error', () => undefined))));
    await expect(ask(url, 50)).rejects.toHaveProperty('code', 'ETIMEDOUT');
    for (const socket of sockets) socket.destroy();
  });
});
