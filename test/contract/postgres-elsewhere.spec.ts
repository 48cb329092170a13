import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { RevocationOutcome } from '@mayfly/credentials';
import { PostgresConfigSchema, PostgresProvider } from '@mayfly/provider-postgres';
import { createCrmDatabase, secretText, type CrmDatabase } from './crm-database.js';
import { openSession, rows, run } from './sql.js';
import { openPostgresTarget, patience, scopeOf, type Lease, type PostgresTarget } from './postgres-target.js';
import { TARGET_SERVERS, type TargetServer } from './target-server.js';

const ELSEWHERE = 'the connection names another server than the one that has the credential; set its `url` back';

describe.each(TARGET_SERVERS)(
  'a connection that leads elsewhere than its leases were made, on %s',
  (version, start) => {
    let target: PostgresTarget;
    let other: CrmDatabase;
    beforeAll(async () => {
      target = await openPostgresTarget(start);
      other = await createCrmDatabase(target.server);
    });
    afterAll(async () => {
      await other.drop();
      await target.close();
    });

    const revokeAt = ({ order }: Lease, handle: Lease['handle'], url: string): Promise<RevocationOutcome> =>
      target.provider.revoke({ ...order, handle, config: PostgresConfigSchema.parse({ url }) }, patience());

    const expectAlive = async ({ url }: Lease): Promise<void> => {
      expect(await rows(url, 'SELECT id FROM emea.cases')).toEqual([{ id: 1 }]);
    };

    it('a connection that names another server than its leases proves nothing about them from another database of the same server', async () => {
      const lease = await target.mint();
      expect(lease.handle.target).toMatch(/^\d{10,20}\/\d+$/);
      expect(await revokeAt(lease, lease.handle, other.url)).toEqual({ kind: 'unknown', detail: ELSEWHERE });
      await expectAlive(lease);
      expect(await revokeAt(lease, lease.handle, target.crm.url)).toEqual({ kind: 'revoked' });
      expect(await revokeAt(lease, lease.handle, target.crm.url)).toEqual({ kind: 'already_gone' });
    });

    it('a connection that names another server than its leases renews nothing there', async () => {
      const lease = await target.mint();
      const config = PostgresConfigSchema.parse({ url: other.url });
      const renewal = target.provider.renew({ ...lease.order, config }, lease.handle, patience());
      await expect(renewal).rejects.toMatchObject({ code: 'provider_rejected', detail: ELSEWHERE });
      await revokeAt(lease, lease.handle, target.crm.url);
    });

    it('a connection that names another server than its leases knows its own target where it may not ask for the identifier of the system', async () => {
      await run(target.crm.superuserUrl, 'REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC');
      const restarted = new PostgresProvider();
      const order = target.orderFor();
      const { handle } = await restarted.mint(order, restarted.plan(order), patience());
      expect(handle.target).toMatch(/^role \d+\/\d+$/);
      const away = { ...order, handle: { ...handle, target: 'role 1/2' } };
      expect(await restarted.revoke(away, patience())).toEqual({ kind: 'unknown', detail: ELSEWHERE });
      expect(await restarted.revoke({ ...order, handle }, patience())).toEqual({ kind: 'revoked' });
      await restarted.close();
      await run(target.crm.superuserUrl, 'GRANT EXECUTE ON FUNCTION pg_control_system() TO PUBLIC');
    });

    const elsewhere = TARGET_SERVERS.find(([name]) => name !== version);
    const withTwoServers = elsewhere === undefined ? it.skip : it;
    withTwoServers('proves nothing about them from another server, unless their mint was never answered', async () => {
      const server: TargetServer = await elsewhere![1]();
      const clone = await createCrmDatabase(server);
      const lease = await target.mint();
      expect(await revokeAt(lease, lease.handle, clone.url)).toEqual({ kind: 'unknown', detail: ELSEWHERE });
      await expectAlive(lease);
      const planned = target.provider.plan(lease.order);
      expect(await revokeAt(lease, planned, clone.url)).toEqual({ kind: 'already_gone' });
      expect(await revokeAt(lease, planned, target.crm.url)).toEqual({ kind: 'revoked' });
      await clone.drop();
      await server.stop();
    });
  },
);

describe.each(TARGET_SERVERS)('a database whose name a URL has to escape, on %s', (_, start) => {
  let target: PostgresTarget;
  beforeAll(async () => {
    target = await openPostgresTarget(start);
  });
  afterAll(() => target.close());

  it.each(['eu/crm', 'crm:eu', 'a?b#c'])(
    'a database with a name that a URL escapes has leases that log in and end: %s',
    async (name) => {
      const { admin } = target.crm;
      const url = new URL(target.crm.loginUrl);
      url.pathname = encodeURIComponent(name);
      await run(target.server.url('postgres'), `CREATE DATABASE "${name}"`);
      const { client: owner } = await openSession({ ...partsOf(target.crm.superuserUrl), database: name });
      await owner.query(`CREATE TABLE public.customers AS SELECT 1 AS id;
      GRANT CONNECT ON DATABASE "${name}" TO ${admin} WITH GRANT OPTION;
      GRANT USAGE ON SCHEMA public TO ${admin} WITH GRANT OPTION;
      GRANT SELECT ON public.customers TO ${admin} WITH GRANT OPTION`);
      await owner.end();
      const provider = new PostgresProvider();
      const order = target.orderFor({
        config: PostgresConfigSchema.parse({ url: url.href, role: admin, scramIterations: 1 }),
        scope: scopeOf(['customers'], ['select'], 'public'),
      });
      const { handle, secret } = await provider.mint(order, provider.plan(order), patience());
      expect(secret).toMatchObject({ database: name });
      const { client, ended } = await openSession({ ...partsOf(secretText(secret, 'url')), database: name });
      expect((await client.query('SELECT id FROM customers')).rows).toEqual([{ id: 1 }]);
      expect(await provider.revoke({ ...order, handle }, patience())).toEqual({ kind: 'revoked' });
      expect(await ended).toBeInstanceOf(Error);
      await provider.close();
      await run(target.server.url('postgres'), `DROP DATABASE "${name}" WITH (FORCE)`, `DROP ROLE ${handle.scopeRole}`);
    },
  );
});

/** A URL without its database, for node-postgres, which would leave `/`, `:`, `?` and `#` escaped. */
function partsOf(url: string): { host: string; port: number; user: string; password: string } {
  const { hostname, port, username, password } = new URL(url);
  return { host: hostname, port: Number(port), user: username, password };
}
