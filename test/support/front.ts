import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { BrokerProcess } from './broker-process.js';

/** A load balancer in front of replicas: it sends each request to the next replica in its list. */
export interface Front {
  readonly url: string;
  add(replica: BrokerProcess): void;
  /** Sends no further request there. */
  remove(replica: BrokerProcess): void;
  stop(): void;
}

export async function startFront(): Promise<Front> {
  const replicas: BrokerProcess[] = [];
  let turn = 0;
  const server = createServer((incoming, answer) => {
    const replica = replicas[(turn += 1) % replicas.length];
    if (replica === undefined) return answer.writeHead(503).end();
    const target = new URL(incoming.url ?? '/', replica.url);
    const call = request(target, { method: incoming.method, headers: { ...incoming.headers, host: target.host } });
    call.on('response', (response) => {
      answer.writeHead(response.statusCode ?? 502, response.headers);
      response.pipe(answer);
    });
    call.on('error', () => answer.destroy());
    incoming.pipe(call);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    url: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`,
    add: (replica) => void replicas.push(replica),
    remove: (replica) => void replicas.splice(replicas.indexOf(replica), 1),
    stop: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}
