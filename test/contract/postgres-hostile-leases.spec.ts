import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { PostgresConfigSchema, PostgresProvider } from '@mayfly/provider-postgres';
import { openSession, rows, run } from './sql.js';
import { openPostgresTarget, patience, scopeOf, type Lease, type PostgresTarget } from './postgres-target.js';
import { TARGET_SERVERS } from './target-server.js';

/** A revocation that an agent cannot hold up ends well within this, on a slow machine too. */
const A_FEW_SECONDS_MS = 5_000;

describe.each(TARGET_SERVERS)('an agent that uses its lease against the postgres provider, on %s', (_, start) => {
  let target: PostgresTarget;
  beforeAll(async () => {
    target = await openPostgresTarget(start);
  });
  afterAll(() => target.close());

  /** The lease is revoked soon, with proof, and its open session with it. */
  const expectQuickEnd = async ({ order, role, url }: Lease, ended?: Promise<Error>): Promise<void> => {
    const start = performance.now();
    expect(await target.revoke(order)).toEqual({ kind: 'revoked' });
    expect(performance.now() - start).toBeLessThan(A_FEW_SECONDS_MS);
    if (ended !== undefined) expect(await ended).toBeInstanceOf(Error);
    expect([await target.roleCount(role), await target.sessionsOf(role)]).toEqual([0, 0]);
    await expect(rows(url, 'SELECT 1')).rejects.toMatchObject({ code: '28P01' });
  };

  describe('where PUBLIC may create in a schema', () => {
    beforeAll(() => run(target.crm.superuserUrl, 'GRANT CREATE ON SCHEMA public TO PUBLIC'));
    afterAll(() => run(target.crm.superuserUrl, 'REVOKE CREATE ON SCHEMA public FROM PUBLIC'));

    it('a hostile object in a schema that PUBLIC may create in is seen by a probe', async () => {
      const { checks } = await target.provider.probe(PostgresConfigSchema.parse({ url: target.crm.url }), patience());
      const wrong = checks.filter(({ outcome }) => outcome === 'missing');
      expect(wrong).toMatchObject([{ outcome: 'missing', detail: expect.stringContaining('`public`') }]);
    });

    it.each([
      ['hashtextextended(text, int)', 'bigint', '0'],
      ['pg_terminate_backend(int)', 'boolean', 'true'],
    ])(
      'a hostile object in a schema that PUBLIC may create in is never run by Mayfly as %s of its own making',
      async (signature, type, value) => {
        const lease = await target.mint();
        await run(
          lease.url,
          `CREATE FUNCTION public.${signature} RETURNS ${type} LANGUAGE plpgsql
           AS $f$ BEGIN GRANT SELECT ON emea.salaries TO ${lease.role}; RETURN ${value}; END $f$`,
        );
        const { ended } = await openSession(lease.url);
        const next = await target.mint(target.orderFor({ scope: scopeOf(['cases'], ['select', 'delete']) }));
        await expectQuickEnd(next);
        await expect(rows(lease.url, 'SELECT id FROM emea.salaries')).rejects.toMatchObject({ code: '42501' });
        await expectQuickEnd(lease, ended);
      },
    );

    it('a hostile object in a schema that PUBLIC may create in cannot get its path into the sessions of a connection whose role has one set', async () => {
      const { admin, superuserUrl } = target.crm;
      await run(superuserUrl, `ALTER ROLE ${admin} SET search_path = public, pg_catalog`);
      const lease = await target.mint();
      await run(
        lease.url,
        `CREATE FUNCTION public.pg_terminate_backend(int, bigint DEFAULT 0) RETURNS boolean
           LANGUAGE plpgsql AS $f$ BEGIN GRANT SELECT ON emea.salaries TO ${lease.role}; RETURN true; END $f$`,
      );
      const { client } = await openSession(lease.url);
      const restarted = new PostgresProvider();
      expect(await target.revoke(lease.order, restarted)).toEqual({ kind: 'revoked' });
      await expect(client.query('SELECT id FROM emea.salaries')).rejects.toThrow();
      await restarted.close();
      await run(superuserUrl, `ALTER ROLE ${admin} RESET search_path`);
    });
  });

  describe('that holds locks in an open session', () => {
    beforeAll(() => run(target.crm.superuserUrl, 'GRANT EXECUTE ON FUNCTION pg_advisory_lock(bigint) TO PUBLIC'));
    const keys = (...names: string[]): string[] =>
      names.map((name) => `SELECT pg_advisory_lock(hashtextextended('${name}', 0))`);

    it('an agent that holds locks in an open session delays neither its own end, nor that of another lease, nor the making of new ones', async () => {
      const [holder, other] = [await target.mint(), await target.mint()];
      const { client, ended } = await openSession(holder.url);
      for (const statement of keys(holder.role, other.role, 'mayfly_scope')) await client.query(statement);
      const fresh = await target.mint(target.orderFor({ scope: scopeOf(['case_notes'], ['select', 'update']) }));
      expect(await rows(fresh.url, 'SELECT id FROM emea.case_notes')).toHaveLength(1);
      await expectQuickEnd(other);
      await expectQuickEnd(holder, ended);
      await expectQuickEnd(fresh);
    });

    it('an agent that holds locks in an open session cannot keep its role from being barred by a change of its own password that it does not commit', async () => {
      const lease = await target.mint();
      const { client, ended } = await openSession(lease.url);
      await client.query(`BEGIN; ALTER ROLE ${lease.role} PASSWORD 'x'`);
      const renewing = target.provider.renew(lease.order, target.provider.plan(lease.order), patience());
      await expect(renewing).rejects.toMatchObject({ code: 'provider_unavailable' });
      await expectQuickEnd(lease, ended);
    });

    it('an agent that holds locks in an open session cannot keep its role from being barred by logging in and doing so again and again', async () => {
      const lease = await target.mint(
        target.orderFor({ config: PostgresConfigSchema.parse({ url: target.crm.url, maxConnections: 8 }) }),
      );
      let revoked = false;
      const knock = async (): Promise<void> => {
        while (!revoked) {
          await openSession(lease.url)
            .then(({ client, ended }) =>
              client.query(`BEGIN; ALTER ROLE ${lease.role} PASSWORD NULL`).then(() => ended),
            )
            .catch(() => undefined);
        }
      };
      const knocking = Array.from({ length: 8 }, knock);
      while ((await target.sessionsOf(lease.role)) < 8);
      await expectQuickEnd(lease);
      revoked = true;
      await Promise.all(knocking);
    });

    it('an agent that holds locks in an open session cannot keep another lease from being dropped by a grant to it that it does not commit', async () => {
      const [holder, other] = [await target.mint(), await target.mint()];
      const { client, ended } = await openSession(holder.url);
      await run(target.crm.superuserUrl, 'GRANT EXECUTE ON FUNCTION lo_create(oid) TO PUBLIC');
      const made = await client.query<{ id: string }>('SELECT lo_create(0)::text AS id');
      await client.query(`BEGIN; GRANT SELECT ON LARGE OBJECT ${String(made.rows[0]?.id)} TO ${other.role}`);
      await expectQuickEnd(other);
      await expectQuickEnd(holder, ended);
    });
  });
});
