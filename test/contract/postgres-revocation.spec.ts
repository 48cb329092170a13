import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { PostgresConfigSchema } from '@mayfly/provider-postgres';
import { Client } from 'pg';
import { createCrmDatabase, SERVERS_AND_WAYS } from './crm-database.js';
import { openSession, rows, run } from './sql.js';
import { openPostgresTarget, patience, type PostgresTarget } from './postgres-target.js';

describe.each(SERVERS_AND_WAYS)('the postgres provider on %s, by way of %s', (_, way, start) => {
  let target: PostgresTarget;
  beforeAll(async () => {
    target = await openPostgresTarget(start, way);
  });
  afterAll(() => target.close());

  describe('revocation ends', () => {
    it.each([
      ['an idle session', []],
      ['an open transaction', ['BEGIN', 'SELECT id FROM emea.cases']],
      ['an open cursor', ['BEGIN', 'DECLARE c CURSOR FOR SELECT id FROM emea.cases', 'FETCH 1 FROM c']],
      ['a session that listens', ['LISTEN mayfly']],
      ['a session with a temporary name for itself', ["SET application_name = 'psql'"]],
    ])('revocation ends %s', async (_name, statements) => {
      const { order, role, url } = await target.mint();
      const { client, ended } = await openSession(url);
      for (const statement of statements) await client.query(statement);
      expect(await target.revoke(order)).toEqual({ kind: 'revoked' });
      expect(await ended).toBeInstanceOf(Error);
      expect([await target.roleCount(role), await target.sessionsOf(role)]).toEqual([0, 0]);
      await expect(rows(url, 'SELECT 1')).rejects.toMatchObject({ code: '28P01' });
    });

    it('revocation ends a session that took the scope role, or tried to', async () => {
      const { order, url } = await target.mint();
      const { client, ended } = await openSession(url);
      await client.query(`SET ROLE ${target.provider.plan(order).scopeRole}`).catch(() => undefined);
      await client.query('SELECT id FROM emea.cases');
      expect(await target.revoke(order)).toEqual({ kind: 'revoked' });
      expect(await ended).toBeInstanceOf(Error);
      await expect(client.query('SELECT id FROM emea.cases')).rejects.toThrow();
    });

    it('revocation ends a statement that is running', async () => {
      const { order, url } = await target.mint();
      const { client } = await openSession(url);
      const running = client.query('SELECT pg_sleep(600)').catch((error: unknown) => error);
      expect(await target.revoke(order)).toEqual({ kind: 'revoked' });
      expect(await running).toBeInstanceOf(Error);
    });

    it('revocation ends a lease that set a password of its own', async () => {
      const { order, role, url, password } = await target.mint();
      await run(url, `ALTER ROLE ${role} PASSWORD 'chosen'`);
      const chosen = url.replace(password, 'chosen');
      expect(await rows(chosen, 'SELECT 1 AS one')).toEqual([{ one: 1 }]);
      expect(await target.revoke(order)).toEqual({ kind: 'revoked' });
      await expect(rows(chosen, 'SELECT 1')).rejects.toMatchObject({ code: '28P01' });
    });

    it('revocation ends a lease that continues logging in', async () => {
      const { order, role, url } = await target.mint(
        target.orderFor({ config: PostgresConfigSchema.parse({ url: target.crm.url, maxConnections: 20 }) }),
      );
      let revoked = false;
      const knock = async (): Promise<void> => {
        while (!revoked) {
          const client = new Client({ connectionString: url });
          client.on('error', () => undefined);
          await client.connect().catch(() => undefined);
        }
      };
      const knocking = Array.from({ length: 4 }, knock);
      const outcome = await target.revoke(order);
      const left = await target.sessionsOf(role);
      revoked = true;
      await Promise.all(knocking);
      expect(outcome).toEqual({ kind: 'revoked' });
      expect([left, await target.roleCount(role), await orphanSessions()]).toEqual([0, 0, 0]);
    });

    const orphanSessions = async (): Promise<number> =>
      (
        await target.asSuperuser(
          `SELECT FROM pg_stat_activity WHERE datname = '${target.crm.name}' AND usesysid IS NOT NULL AND usename IS NULL`,
        )
      ).length;

    it('revocation ends nothing in part: while a session lives on, role and membership stay barred and the outcome is unknown', async () => {
      const { order, role, url } = await target.mint();
      const { client, ended } = await openSession(url);
      await run(target.crm.superuserUrl, `REVOKE pg_signal_backend FROM ${target.crm.admin}`);
      expect(await target.revoke(order)).toMatchObject({
        kind: 'unknown',
        detail: expect.stringMatching(/could not end its sessions: .*\(42501\); it needs the right pg_signal_backend/),
      });
      expect(await client.query('SELECT id FROM emea.cases')).toMatchObject({ rowCount: 1 });
      expect(await target.roleCount(role)).toBe(1);
      await expect(rows(url, 'SELECT 1')).rejects.toMatchObject({ code: '28P01' });
      const renewal = target.provider.renew(order, target.provider.plan(order), patience());
      await expect(renewal).rejects.toMatchObject({ code: 'provider_rejected' });
      await run(target.crm.superuserUrl, `GRANT pg_signal_backend TO ${target.crm.admin}`);
      expect(await target.revoke(order)).toEqual({ kind: 'revoked' });
      expect(await ended).toBeInstanceOf(Error);
    });

    it('revocation ends a lease that owns things, and takes them along', async () => {
      const { order, role, url } = await target.mint();
      await run(target.crm.superuserUrl, 'GRANT EXECUTE ON FUNCTION lo_create(oid) TO PUBLIC');
      const [made] = await rows<{ id: string }>(url, 'SELECT lo_create(0)::text AS id');
      await target.asSuperuser(`CREATE TABLE emea.its_own (); ALTER TABLE emea.its_own OWNER TO ${role}`);
      expect(await target.revoke(order)).toEqual({ kind: 'revoked' });
      expect(await target.roleCount(role)).toBe(0);
      expect(await target.asSuperuser(`SELECT FROM pg_largeobject_metadata WHERE oid = ${String(made?.id)}`)).toEqual(
        [],
      );
    });

    it('revocation ends a lease that was granted more by the role of the connection', async () => {
      const { order, role } = await target.mint();
      await run(
        target.crm.url,
        `GRANT SELECT ON emea.salaries TO ${role}`,
        `GRANT UPDATE (note) ON apac.cases TO ${role}`,
      );
      expect(await target.revoke(order)).toEqual({ kind: 'revoked' });
      expect(await target.roleCount(role)).toBe(0);
    });

    it('revocation ends the access of a lease that another party granted more, says that its role remains, and drops it when it can', async () => {
      const { order, role, url } = await target.mint();
      await run(target.crm.superuserUrl, `GRANT SELECT ON emea.salaries TO ${role}`);
      expect(await target.revoke(order)).toMatchObject({
        kind: 'revoked',
        remains: expect.stringContaining(`\`${target.crm.name}\``),
      });
      await expect(rows(url, 'SELECT 1')).rejects.toMatchObject({ code: '28P01' });
      expect(await target.asSuperuser(`SELECT FROM pg_auth_members WHERE member = '${role}'::regrole`)).toEqual([]);
      await run(target.crm.superuserUrl, `REVOKE ALL ON emea.salaries FROM ${role}`);
      expect(await target.revoke(order)).toEqual({ kind: 'revoked' });
      expect(await target.roleCount(role)).toBe(0);
    });

    it('revocation ends the access of a lease that owns things in another database, and says that its role remains and where', async () => {
      const other = await createCrmDatabase(target.server);
      const { order, role, url } = await target.mint();
      await run(
        other.superuserUrl,
        `GRANT CONNECT ON DATABASE ${other.name} TO ${role}`,
        'GRANT EXECUTE ON FUNCTION lo_create(oid) TO PUBLIC',
      );
      await run(url.replace(target.crm.name, other.name), 'SELECT lo_create(0)');
      expect(await target.revoke(order)).toMatchObject({
        kind: 'revoked',
        remains: expect.stringContaining(`\`${other.name}\``),
      });
      await expect(rows(url, 'SELECT 1')).rejects.toMatchObject({ code: '28P01' });
      await run(other.superuserUrl, `DROP OWNED BY ${role}`);
      expect(await target.revoke(order)).toEqual({ kind: 'revoked' });
      await other.drop();
    });
  });
});
