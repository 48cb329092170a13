import { createServer, connect, type AddressInfo, type Socket } from 'node:net';

/** A TCP proxy to a service that can refuse connections and lose answers. */
export interface FaultyDoor {
  readonly url: string;
  /** Cuts all connections and refuses new ones until `open`. */
  close(): void;
  open(): void;
  /** Loses the next answer: cuts the connection at its first byte. */
  loseNextAnswer(): void;
  /**
   * Loses the answer to one commit: on the first connection whose caller sends `statement`, cuts the connection at the
   * first byte of the answer to `commit`, which is sent then or later. Resolves when it is lost.
   */
  loseAnswerTo(statement: string, commit?: string): Promise<void>;
  /** `true` drops all answers while requests pass; `false` ends this and cuts the open connections. */
  holdAnswers(isHolding: boolean): void;
  stop(): Promise<void>;
}

interface Loss {
  readonly statement: string;
  readonly commit: string;
  readonly done: () => void;
}

export async function startFaultyDoor(target: string): Promise<FaultyDoor> {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  let isClosed = false;
  let [loses, holds] = [false, false];
  let planned: Loss | undefined;
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
    /** the loss that this connection will have, and true once its commit was sent */
    let [own, isSent]: [Loss | undefined, boolean] = [undefined, false];
    client.on('data', (part: Buffer) => {
      if (planned !== undefined && part.includes(planned.statement)) [own, planned] = [planned, undefined];
      if (own !== undefined && part.includes(own.commit)) isSent = true;
    });
    client.pipe(service);
    service.on('data', (part: Buffer) => {
      if (holds) return;
      if (own !== undefined && isSent) {
        client.destroy();
        own.done();
        return;
      }
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
    loseAnswerTo: (statement, commit = statement) => new Promise((done) => (planned = { statement, commit, done })),
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
