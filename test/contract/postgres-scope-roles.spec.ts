import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { PostgresProvider } from '@mayfly/provider-postgres';
import { rows, run } from './sql.js';
import { openPostgresTarget, patience, scopeOf, type PostgresTarget } from './postgres-target.js';
import { TARGET_SERVERS } from './target-server.js';

describe.each(TARGET_SERVERS)('the postgres provider on %s', (_, start) => {
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

    it('hold exactly the verbs and tables of the scope, and are shared by leases', async () => {
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
    ])('are put right on first use in a process when somebody granted %s', async (_name, grant) => {
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

    it('are put right when somebody took something away', async () => {
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

    it.each([
      ['may log in', 'ALTER ROLE $ LOGIN', 'ALTER ROLE $ NOLOGIN'],
      ['is a member of another role', 'GRANT pg_read_all_data TO $', 'REVOKE pg_read_all_data FROM $'],
      ['was granted more by somebody else', 'GRANT SELECT ON emea.cases TO $', 'REVOKE ALL ON emea.cases FROM $'],
      ['owns something', 'ALTER TABLE emea.salaries OWNER TO $', 'ALTER TABLE emea.salaries OWNER TO postgres'],
    ])('give nothing out while one %s', async (_name, spoil, mend) => {
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

    it('are made again when somebody dropped one', async () => {
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

    it('are refused for a table that does not exist, which is named', async () => {
      const refused = target.mint(target.orderFor({ scope: scopeOf(['customers', 'sins']) }));
      await expect(refused).rejects.toMatchObject({
        code: 'provider_rejected',
        detail: 'the database has no table `emea.sins`; change the scope',
      });
    });

    it('take names as names, whatever is in them', async () => {
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
