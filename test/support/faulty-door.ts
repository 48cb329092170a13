import { createServer, connect, type AddressInfo, type Socket } from 'node:net';

/** A TCP proxy to a service that can refuse connections and lose answers. */
export interface FaultyDoor {
  readonly url: string;
  /** Cuts all connections and refuses new ones until `open`. */
  close(): void;
  open(): void;
  /** Loses the next answer: cuts the connection at its first byte. */
  loseNextAnswer(): void;
  /** `true` drops all answers while requests pass; `false` ends this and cuts the open connections. */
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
          if (!holds) client.destroy(); // a held caller keeps waiting
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
