import { createServer, connect, type AddressInfo, type Socket } from 'node:net';

/** A way to a service that can be closed, and that can lose an answer on its way back. */
export interface FaultyDoor {
  readonly url: string;
  /** Nobody gets through until `open`. */
  close(): void;
  open(): void;
  /** The next answer does not arrive: the connection is cut when its first byte comes. */
  loseNextAnswer(): void;
  /** Requests get through, and no answer comes back until this is called with `false`. */
  holdAnswers(isHolding: boolean): void;
  stop(): Promise<void>;
}

export async function startFaultyDoor(target: string): Promise<FaultyDoor> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  let isClosed = false;
  let [loses, holds] = [false, false];
  const server = createServer((client) => {
    if (isClosed) return client.destroy();
    const service = connect(Number(port), hostname);
    for (const socket of [client, service]) {
      sockets.add(socket);
      socket
        .on('error', () => undefined)
        .once('close', () => {
          service.destroy();
          if (!holds) client.destroy(); // its caller goes on waiting
          sockets.delete(socket);
        });
    }
    client.pipe(service);
    service.on('data', (part: Buffer) => {
      if (holds) return;
      if (!loses) client.write(part);
      else {
        loses = false;
        client.destroy();
      }
    });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const cut = (): void => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`,
    close: () => {
      isClosed = true;
      cut();
    },
    open: () => void (isClosed = false),
    loseNextAnswer: () => void (loses = true),
    holdAnswers: (isHolding) => {
      holds = isHolding;
      if (!isHolding) cut();
    },
    stop: () =>
      new Promise((done) => {
        server.close(() => done());
        cut();
      }),
  };
}
