import { createServer, type AddressInfo, type Server } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { ResolveHost } from '@mayfly/egress';
import { Client } from 'pg';
import { NotConnected } from './errors.js';
import { problemFrom } from './failures.js';
import { guardedSocket } from './guarded-socket.js';

let server: Server;
let port: number;
beforeAll(async () => {
  server = createServer((socket) => socket.end());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ({ port } = server.address() as AddressInfo);
});
afterAll(() => void server.close());

const leadingTo =
  (address: string): ResolveHost =>
  (_host, { all }, resolved) => {
    const family = address.includes(':') ? 6 : 4;
    if (all === true) resolved(null, [{ address, family }]);
    else resolved(null, address, family);
  };

const failureAt = (host: string, resolve?: ResolveHost): Promise<unknown> =>
  new Client({ host, port, user: 'u', password: 'p', database: 'd', stream: () => guardedSocket(resolve) })
    .connect()
    .then(() => undefined)
    .catch((error: unknown) => error);

describe('a connection to PostgreSQL', () => {
  it.each(['169.254.169.254', '192.0.0.192', '::ffff:169.254.169.254', '64:ff9b::a9fe:a9fe', 'fe80::1%lo'])(
    'a connection to PostgreSQL is refused at %s, and nothing was made there',
    async (host) => {
      const error = await failureAt(host);
      expect(error).toMatchObject({ code: 'EGRESS_REFUSED' });
      expect(problemFrom(new NotConnected(error))).toMatchObject({
        code: 'provider_rejected',
        detail: expect.stringContaining('no setting'),
      });
    },
  );

  it.each(['169.254.169.254', 'fd00:ec2::254', '::ffff:100.100.100.200'])(
    'a connection to PostgreSQL is refused at a name that leads to %s',
    async (address) => {
      expect(await failureAt('db.internal', leadingTo(address))).toMatchObject({ code: 'EGRESS_REFUSED' });
    },
  );

  it('a connection to PostgreSQL is refused at the decimal spelling of a metadata address, which resolvers understand', async () => {
    expect(await failureAt('2852039166')).toMatchObject({ code: 'EGRESS_REFUSED' });
  });

  it('a connection to PostgreSQL is made at a loopback address and at a name that leads to one', async () => {
    for (const failure of [await failureAt('127.0.0.1'), await failureAt('db.internal', leadingTo('127.0.0.1'))])
      expect(failure).not.toMatchObject({ code: 'EGRESS_REFUSED' });
    expect(await failureAt('127.0.0.1')).toMatchObject({ message: expect.stringContaining('terminated') });
  });
});
