import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { PostgresConfigSchema, PostgresProvider } from '@mayfly/provider-postgres';
import { createCrmDatabase, type CrmDatabase } from './crm-database.js';
import { openPostgresTarget, patience, scopeOf, type PostgresTarget } from './postgres-target.js';
import { openSession, rows, run } from './sql.js';
import { TARGET_SERVERS } from './target-server.js';

const [, startCurrent] = TARGET_SERVERS[0]!;
const INSTALLING = readFileSync(new URL('../../docs/postgres-functions.sql', import.meta.url), 'utf8');

const ROLE = `mayfly_${'a'.repeat(26)}`;
const SCOPE = `mayfly_scope_${'a'.repeat(40)}`;
const VERIFIER = `SCRAM-SHA-256$1:${'A'.repeat(22)}==$${'A'.repeat(43)}=:${'A'.repeat(43)}=`;

describe('the functions of the owner of a PostgreSQL', () => {
  let target: PostgresTarget;
  let other: CrmDatabase;
  beforeAll(async () => {
    target = await openPostgresTarget(startCurrent, 'functions');
    other = await createCrmDatabase(target.server, { way: 'functions' });
  });
  afterAll(async () => {
    await other.drop();
    await target.close();
  });

  it('the functions of the owner make and end leases for a role that cannot create roles', async () => {
    const { order, handle, url } = await target.mint();
    expect(await rows(url, 'SELECT id FROM emea.cases')).toEqual([{ id: 1 }]);
    expect(handle.maker).toBeUndefined();
    expect(
      await target.asSuperuser(`SELECT FROM pg_roles WHERE rolcreaterole AND rolname ~ '^${target.crm.admin}'`),
    ).toEqual([]);
    expect(await target.revoke(order)).toEqual({ kind: 'revoked' });
  });

  it('renew a lease, and never one that has ended', async () => {
    const { order, handle } = await target.mint();
    const later = { ...order, expiresAt: new Date(order.expiresAt.getTime() + 60_000) };
    await target.provider.renew(later, handle, patience());
    expect(
      await target.asSuperuser(`SELECT rolvaliduntil AS until FROM pg_roles WHERE rolname = '${handle.role}'`),
    ).toEqual([{ until: later.expiresAt }]);
    await target.revoke(order);
    await expect(target.provider.renew(later, handle, patience())).rejects.toMatchObject({ code: 'provider_rejected' });
  });

  it('end the leases that creators made before the functions were installed', async () => {
    const crm = await createCrmDatabase(target.server, { way: 'creators' });
    const config = PostgresConfigSchema.parse({ url: crm.loginUrl, role: crm.admin });
    const order = target.orderFor({ config });
    const before = new PostgresProvider();
    const { handle } = await before.mint(order, before.plan(order), patience());
    await run(crm.superuserUrl, INSTALLING.replaceAll('mayfly_lessor', crm.admin));
    const after = new PostgresProvider();
    const next = target.orderFor({ config });
    const made = await after.mint(next, after.plan(next), patience());
    expect([typeof handle.maker, typeof made.handle.maker]).toEqual(['string', 'undefined']);
    for (const one of [
      { ...order, handle },
      { ...next, handle: made.handle },
    ])
      expect(await after.revoke(one, patience())).toEqual({ kind: 'revoked' });
    // a process that logged in before the functions were installed learns of them
    const third = target.orderFor({ config });
    const last = await after.mint(third, after.plan(third), patience());
    expect(await before.revoke({ ...third, handle: last.handle }, patience())).toEqual({ kind: 'revoked' });
    await Promise.all([before.close(), after.close()]);
    await crm.drop();
  });

  it('the functions of the owner are not called where somebody who is no superuser owns the schema, or may create in it', async () => {
    const crm = await createCrmDatabase(target.server, { way: 'creators' });
    const config = PostgresConfigSchema.parse({ url: crm.loginUrl, role: crm.admin });
    await run(
      crm.superuserUrl,
      `CREATE ROLE mallory_${crm.name}; CREATE SCHEMA mayfly AUTHORIZATION mallory_${crm.name}`,
      `GRANT USAGE ON SCHEMA mayfly TO PUBLIC`,
      `CREATE FUNCTION mayfly.version() RETURNS int LANGUAGE sql AS 'SELECT 1'`,
      `CREATE FUNCTION mayfly.mint_leases(text[], text[], text[], int[], timestamptz[]) RETURNS void LANGUAGE plpgsql
         AS $$ BEGIN EXECUTE format('GRANT ALL ON ALL TABLES IN SCHEMA emea TO mallory_${crm.name}'); END $$`,
    );
    const order = target.orderFor({ config });
    const { handle } = await target.provider.mint(order, target.provider.plan(order), patience());
    expect(handle.maker).toBeDefined();
    expect(await target.provider.revoke({ ...order, handle }, patience())).toEqual({ kind: 'revoked' });
    await expect(run(crm.superuserUrl, INSTALLING.replaceAll('mayfly_lessor', crm.admin))).rejects.toThrow(
      /belongs to a role that is no superuser/,
    );
    await run(crm.superuserUrl, `ROLLBACK; DROP SCHEMA mayfly CASCADE; DROP ROLE mallory_${crm.name}`);
    await crm.drop();
  });

  describe('in the hands of somebody who stole the login of the connection', () => {
    /** Calls as the thief; rejects with the server's error. */
    const call = (statement: string, crm = target.crm): Promise<unknown[]> =>
      rows(crm.url, `SELECT mayfly.${statement}`);
    const minting = (changes: Partial<Record<'role' | 'scope' | 'verifier' | 'size' | 'expiry', string>>): string => {
      const order = {
        role: ROLE,
        scope: SCOPE,
        verifier: VERIFIER,
        size: '5',
        expiry: `now() + interval '1 hour'`,
        ...changes,
      };
      const texts = [order.role, order.scope, order.verifier].map((text) => `ARRAY['${text.replaceAll("'", "''")}']`);
      return `mint_leases(${texts.join(', ')}, ARRAY[${order.size}], ARRAY[${order.expiry}]::timestamptz[])`;
    };
    beforeAll(() => call(`make_scope('${SCOPE}')`));

    it('the functions of the owner make a lease of a scope of the connection, as the thief could by Mayfly', async () => {
      await call(minting({}));
      expect(
        await target.asSuperuser(`SELECT rolsuper OR rolcreaterole AS more FROM pg_roles WHERE rolname = '${ROLE}'`),
      ).toEqual([{ more: false }]);
      await call(`drop_leases('{${ROLE}}')`);
      expect(await target.roleCount(ROLE)).toBe(0);
    });

    it.each([
      ['another name', { role: 'postgres' }],
      ['a name that goes on', { role: `${ROLE} SUPERUSER` }],
      ['a name with a second line', { role: `${ROLE}\n; DROP TABLE emea.cases` }],
      ['a role of the server as its scope', { scope: 'pg_read_all_data' }],
      ['a scope that nobody registered', { scope: `mayfly_scope_${'b'.repeat(40)}` }],
      ['a password in place of a verifier', { verifier: 'known' }],
      ['a hash that is no verifier', { verifier: `md5${'a'.repeat(32)}` }],
      ['a verifier that ends the statement', { verifier: `${VERIFIER}' SUPERUSER --` }],
      ['no limit of connections', { size: '-1' }],
      ['no size', { size: 'NULL::int' }],
      ['a life of a day', { expiry: `now() + interval '1 day'` }],
      ['a life without end', { expiry: `'infinity'` }],
      ['an expiry before all time', { expiry: `'-infinity'` }],
      ['no expiry', { expiry: 'NULL' }],
    ])('the functions of the owner make no role with %s', async (_, changes) => {
      const before = await target.asSuperuser('SELECT count(*) FROM pg_roles');
      await expect(call(minting(changes))).rejects.toMatchObject({ code: expect.stringMatching(/^42501$|^42704$/) });
      expect(await target.asSuperuser('SELECT count(*) FROM pg_roles')).toEqual(before);
    });

    it('the functions of the owner make no role where the arrays have different lengths', async () => {
      await expect(
        call(
          `mint_leases(ARRAY['${ROLE}', '${ROLE.replace(/a$/, 'b')}'], ARRAY['${SCOPE}'], ARRAY['${VERIFIER}'], '{5}', ARRAY[now()])`,
        ),
      ).rejects.toMatchObject({ code: '42501' });
    });

    it.each(['bar_leases', 'drop_leases'])(
      'the functions of the owner do not let %s touch another role',
      async (name) => {
        const lookalike = `mayfly_${'z'.repeat(26)}`;
        await target.asSuperuser(`CREATE ROLE ${lookalike} LOGIN CREATEROLE; GRANT pg_read_all_data TO ${lookalike}`);
        for (const role of ['postgres', target.crm.admin, SCOPE, lookalike])
          await expect(call(`${name}('{${role}}')`)).rejects.toMatchObject({ code: '42501' });
        await target.asSuperuser(`ALTER ROLE ${lookalike} NOCREATEROLE`);
        await expect(call(`${name}('{${lookalike}}')`)).rejects.toMatchObject({ code: '42501' });
        await expect(call(`join_lease('${lookalike}')`)).rejects.toMatchObject({ code: '42501' });
        await expect(call(`strip_lease('${lookalike}')`)).rejects.toMatchObject({ code: '42501' });
        await target.asSuperuser(`DROP ROLE ${lookalike}`);
      },
    );

    it('reach neither a lease nor a scope of another connection of the server', async () => {
      const config = PostgresConfigSchema.parse({ url: other.loginUrl, role: other.admin });
      const lease = await target.mint(target.orderFor({ config }));
      const { role, scopeRole } = lease.handle;
      for (const statement of [
        `bar_leases('{${role}}')`,
        `join_lease('${role}')`,
        `drop_leases('{${role}}')`,
        `renew_lease('${role}', now())`,
        `make_scope('${scopeRole}')`,
        minting({ scope: scopeRole }),
      ])
        await expect(call(statement)).rejects.toMatchObject({ code: expect.stringMatching(/^42501$|^42704$/) });
      expect(await rows(lease.url, 'SELECT id FROM emea.cases')).toEqual([{ id: 1 }]);
      expect(await target.revoke(lease.order)).toEqual({ kind: 'revoked' });
    });

    it('reach neither a lease nor a scope of another connection to the same database', async () => {
      const second = new URL(target.crm.loginUrl);
      second.username = `second_${target.crm.name}`;
      await run(
        target.crm.superuserUrl,
        `CREATE ROLE ${second.username} LOGIN PASSWORD '${second.password}'`,
        `GRANT CONNECT ON DATABASE ${target.crm.name} TO ${second.username}`,
        `GRANT USAGE ON SCHEMA mayfly TO ${second.username}; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA mayfly TO ${second.username}`,
      );
      const lease = await target.mint();
      const { role, scopeRole } = lease.handle;
      for (const statement of [
        `bar_leases('{${role}}')`,
        `join_lease('${role}')`,
        `drop_leases('{${role}}')`,
        `strip_lease('${role}')`,
        `renew_lease('${role}', now())`,
        `make_scope('${scopeRole}')`,
        minting({ scope: scopeRole }),
      ])
        await expect(rows(second.href, `SELECT mayfly.${statement}`)).rejects.toMatchObject({
          code: expect.stringMatching(/^42501$|^42704$/),
        });
      expect(await target.revoke(lease.order)).toEqual({ kind: 'revoked' });
      await run(target.crm.superuserUrl, `DROP OWNED BY ${second.username}; DROP ROLE ${second.username}`);
    });

    it('the functions of the owner give a scope role nothing that the connection may not pass on', async () => {
      await run(target.crm.superuserUrl, 'CREATE TABLE IF NOT EXISTS emea.hidden (id int)');
      await expect(run(target.crm.url, `GRANT SELECT ON emea.hidden TO ${SCOPE}`)).rejects.toMatchObject({
        code: '42501',
      });
      await expect(run(target.crm.url, `GRANT pg_read_all_data TO ${SCOPE}`)).rejects.toMatchObject({ code: '42501' });
      await expect(target.mint(target.orderFor({ scope: scopeOf(['hidden']) }))).rejects.toMatchObject({
        code: 'provider_rejected',
        detail: expect.stringContaining('cannot grant SELECT on table `emea.hidden`'),
      });
    });

    it('the functions of the owner make no lease of a scope role that somebody gave more than tables', async () => {
      for (const [more, less] of [
        [`GRANT pg_read_all_data TO ${SCOPE}`, `REVOKE pg_read_all_data FROM ${SCOPE}`],
        [`ALTER ROLE ${SCOPE} BYPASSRLS`, `ALTER ROLE ${SCOPE} NOBYPASSRLS`],
      ] as const) {
        await target.asSuperuser(more);
        await expect(call(minting({}))).rejects.toMatchObject({ code: '42501' });
        await target.asSuperuser(less);
      }
    });

    it('the functions of the owner are not run by an operator or function of the thief, nor by another role', async () => {
      const { client } = await openSession(target.crm.url);
      await client.query(
        `SET search_path = pg_temp, public; SET datestyle = 'SQL, DMY'; SET TimeZone = 'Pacific/Kiritimati'`,
      );
      await client.query(`SELECT mayfly.${minting({})}`);
      const [made] = await target.asSuperuser<{ soon: boolean }>(
        `SELECT rolvaliduntil BETWEEN now() + interval '59 minutes' AND now() + interval '61 minutes' AS soon FROM pg_roles WHERE rolname = '${ROLE}'`,
      );
      expect(made).toEqual({ soon: true });
      for (const hidden of [`require_scope('${SCOPE}')`, `require_leases('{${ROLE}}')`, 'caller()'])
        await expect(call(hidden)).rejects.toMatchObject({ code: '42501' });
      await expect(rows(target.crm.url, 'SELECT FROM mayfly.scope')).rejects.toMatchObject({ code: '42501' });
      await call(`drop_leases('{${ROLE}}')`);
      await client.end();
    });
  });

  it('the functions of the owner cannot be called by a lease', async () => {
    const { order, url, role } = await target.mint();
    await expect(rows(url, `SELECT mayfly.drop_leases('{${role}}')`)).rejects.toMatchObject({ code: '42501' });
    await target.revoke(order);
  });
});
