import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { PostgresProvider } from '@mayfly/provider-postgres';
import { rows, run } from './sql.js';
import { openPostgresTarget, patience, scopeOf, type PostgresTarget } from './postgres-target.js';
import { TARGET_SERVERS } from './target-server.js';

describe.each(TARGET_SERVERS)('the postgres provider on %s', (version, start) => {
  const isFrom16 = Number(version.replace('PostgreSQL ', '')) >= 16;
  let target: PostgresTarget;
  beforeAll(async () => {
    target = await openPostgresTarget(start);
  });
  afterAll(() => target.close());

  describe('scope roles', () => {
    const heldBy = (role: string): Promise<unknown[]> =>
      target.asSuperuser(
        `SELECT table_schema || '.' || table_name AS on, privilege_type AS may
           FROM information_schema.table_privileges WHERE grantee = '${role}' ORDER BY 1, 2`,
      );

    it('scope roles hold exactly the verbs and tables of the scope, and are shared by leases', async () => {
      const [first, second] = [await target.mint(), await target.mint()];
      const { scopeRole } = target.provider.plan(first.order);
      expect(target.provider.plan(second.order).scopeRole).toBe(scopeRole);
      expect(await heldBy(scopeRole)).toEqual(
        ['case_notes', 'cases', 'customers'].map((table) => ({ on: `emea.${table}`, may: 'SELECT' })),
      );
      await Promise.all([target.revoke(first.order), target.revoke(second.order)]);
    });

    it.each([
      ['a table', 'GRANT SELECT ON emea.salaries TO $'],
      ['a verb', 'GRANT DELETE ON emea.cases TO $'],
      ['the right to pass on', 'GRANT SELECT ON emea.cases TO $ WITH GRANT OPTION'],
      ['a column', 'GRANT UPDATE (note) ON emea.cases TO $'],
      ['a schema', 'GRANT USAGE ON SCHEMA apac TO $'],
    ])('scope roles are put right on first use in a process when someone granted %s', async (_name, grant) => {
      const before = await target.mint();
      const { scopeRole } = target.provider.plan(before.order);
      await run(target.crm.url, grant.replace('$', scopeRole));
      const restarted = new PostgresProvider();
      const order = target.orderFor();
      await restarted.mint(order, restarted.plan(order), patience());
      expect(await heldBy(scopeRole)).toHaveLength(3);
      await expect(rows(before.url, 'SELECT id FROM apac.cases')).rejects.toMatchObject({ code: '42501' });
      await Promise.all([target.revoke(before.order), target.revoke(order, restarted)]);
      await restarted.close();
    });

    it('scope roles are put right when someone took something away', async () => {
      const { order } = await target.mint();
      const { scopeRole } = target.provider.plan(order);
      await run(target.crm.url, `REVOKE SELECT ON emea.cases FROM ${scopeRole}`);
      const restarted = new PostgresProvider();
      const next = target.orderFor();
      await restarted.mint(next, restarted.plan(next), patience());
      expect(await heldBy(scopeRole)).toHaveLength(3);
      await Promise.all([target.revoke(order), target.revoke(next, restarted)]);
      await restarted.close();
    });

    it('scope roles are put right when someone let one log in', async () => {
      const { order } = await target.mint();
      const { scopeRole } = target.provider.plan(order);
      await run(target.crm.superuserUrl, `ALTER ROLE ${scopeRole} LOGIN`);
      const restarted = new PostgresProvider();
      const next = target.orderFor();
      await restarted.mint(next, restarted.plan(next), patience());
      expect(
        await target.asSuperuser(`SELECT rolcanlogin AS more FROM pg_roles WHERE rolname = '${scopeRole}'`),
      ).toEqual([{ more: false }]);
      await Promise.all([target.revoke(order), target.revoke(next, restarted)]);
      await restarted.close();
    });

    it('scope roles are left alone where a lease granted one what it made itself', async () => {
      const first = await target.mint();
      const { scopeRole } = target.provider.plan(first.order);
      await run(
        target.crm.superuserUrl,
        'GRANT CREATE ON SCHEMA public TO PUBLIC',
        'GRANT EXECUTE ON FUNCTION lo_create(oid) TO PUBLIC',
      );
      await run(
        first.url,
        `ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO ${scopeRole}`,
        `CREATE TABLE public.its_own (); GRANT SELECT ON public.its_own TO ${scopeRole}`,
        `CREATE FUNCTION public.its_own() RETURNS int LANGUAGE sql AS 'SELECT 1'`,
        `GRANT EXECUTE ON FUNCTION public.its_own() TO ${scopeRole}`,
        `SELECT lo_create(4711)`,
        `GRANT SELECT ON LARGE OBJECT 4711 TO ${scopeRole}`,
      );
      const restarted = new PostgresProvider();
      const order = target.orderFor();
      await restarted.mint(order, restarted.plan(order), patience());
      expect(await target.revoke(order, restarted)).toEqual({ kind: 'revoked' });
      expect(await target.revoke(first.order, restarted)).toEqual({ kind: 'revoked' });
      await restarted.close();
      await run(target.crm.superuserUrl, 'REVOKE CREATE ON SCHEMA public FROM PUBLIC');
    });

    it.each([
      // before PostgreSQL 16 the role of the connection may take any membership away
      ...(isFrom16
        ? [['is a member of another role', 'GRANT pg_read_all_data TO $', 'REVOKE pg_read_all_data FROM $']]
        : []),
      ['was granted more by somebody else', 'GRANT SELECT ON emea.cases TO $', 'REVOKE ALL ON emea.cases FROM $'],
      ['owns something', 'ALTER TABLE emea.salaries OWNER TO $', 'ALTER TABLE emea.salaries OWNER TO postgres'],
    ])('scope roles give nothing out while one %s', async (_name = '', spoil = '', mend = '') => {
      const scope = scopeOf(['customers'], ['select', 'update']);
      const { order } = await target.mint(target.orderFor({ scope }));
      const { scopeRole } = target.provider.plan(order);
      await run(target.crm.superuserUrl, spoil.replace('$', scopeRole));
      const restarted = new PostgresProvider();
      const refused = target.orderFor({ scope });
      await expect(restarted.mint(refused, restarted.plan(refused), patience())).rejects.toMatchObject({
        code: 'provider_rejected',
        detail: expect.stringContaining(scopeRole),
      });
      expect(await target.roleCount(target.provider.plan(refused).role)).toBe(0);
      await run(target.crm.superuserUrl, mend.replace('$', scopeRole));
      await target.revoke(order);
      await restarted.close();
    });

    it('scope roles are made again when someone dropped one', async () => {
      const scope = scopeOf(['case_notes']);
      const first = await target.mint(target.orderFor({ scope }));
      const { scopeRole } = target.provider.plan(first.order);
      await run(
        target.crm.url,
        `REVOKE ALL ON emea.case_notes FROM ${scopeRole}`,
        `REVOKE ALL ON SCHEMA emea FROM ${scopeRole}`,
        `REVOKE ALL ON DATABASE ${target.crm.name} FROM ${scopeRole}`,
        `DROP ROLE ${scopeRole}`,
      );
      const { order, url } = await target.mint(target.orderFor({ scope }));
      expect(await rows(url, 'SELECT id FROM emea.case_notes')).toEqual([{ id: 1 }]);
      await Promise.all([target.revoke(first.order), target.revoke(order)]);
    });

    it('scope roles name the right that the role of the connection may not pass on', async () => {
      await run(target.crm.superuserUrl, 'CREATE TABLE emea.ungranted (id int)');
      await expect(target.mint(target.orderFor({ scope: scopeOf(['ungranted']) }))).rejects.toMatchObject({
        code: 'provider_rejected',
        detail: expect.stringMatching(/cannot grant SELECT on table `emea.ungranted`; grant it that WITH GRANT OPTION/),
      });
    });

    it('scope roles are refused for a table that does not exist, which is named', async () => {
      const refused = target.mint(target.orderFor({ scope: scopeOf(['customers', 'sins']) }));
      await expect(refused).rejects.toMatchObject({
        code: 'provider_rejected',
        detail: 'the database has no table `emea.sins`; change the scope',
      });
    });

    it('scope roles take names as names, whatever is in them', async () => {
      const table = `a"; DROP TABLE emea.cases; --'`;
      await run(target.crm.superuserUrl, `CREATE TABLE emea."${table.replaceAll('"', '""')}" (id int)`);
      const scope = scopeOf([table]);
      await expect(target.mint(target.orderFor({ scope }))).rejects.toMatchObject({ code: 'provider_rejected' });
      await run(
        target.crm.superuserUrl,
        `GRANT SELECT ON emea."${table.replaceAll('"', '""')}" TO ${target.crm.admin} WITH GRANT OPTION`,
      );
      const { order, url } = await target.mint(target.orderFor({ scope }));
      expect(await rows(url, `SELECT id FROM emea."${table.replaceAll('"', '""')}"`)).toEqual([]);
      expect(await target.asSuperuser("SELECT to_regclass('emea.cases') IS NULL AS gone")).toEqual([{ gone: false }]);
      await target.revoke(order);
    });
  });
});
