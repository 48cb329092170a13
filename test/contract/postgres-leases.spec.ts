import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { addSeconds } from '@mayfly/kernel';
import { PostgresConfigSchema } from '@mayfly/provider-postgres';
import { createCrmDatabase } from './crm-database.js';
import { openSession, rows, run } from './sql.js';
import { openPostgresTarget, patience, scopeOf, type PostgresTarget, type Verb } from './postgres-target.js';
import { TARGET_SERVERS } from './target-server.js';

describe.each(TARGET_SERVERS)('leases of the postgres provider on %s', (_, start) => {
  let target: PostgresTarget;
  beforeAll(async () => {
    target = await openPostgresTarget(start);
  });
  afterAll(() => target.close());

  describe('a lease', () => {
    it('a postgres lease reads its three tables, and is refused the fourth, the other schema and every other verb', async () => {
      const { order, url } = await target.mint();
      for (const table of ['customers', 'cases', 'case_notes']) {
        expect(await rows(url, `SELECT id FROM emea.${table}`)).toEqual([{ id: 1 }]);
      }
      for (const statement of [
        'SELECT id FROM emea.salaries',
        'SELECT id FROM apac.customers',
        "INSERT INTO emea.customers VALUES (2, 'two')",
        'UPDATE emea.customers SET id = 2',
        'DELETE FROM emea.customers',
        'TRUNCATE emea.customers',
        'CREATE TABLE emea.mine ()',
        'CREATE ROLE another',
      ]) {
        await expect(rows(url, statement)).rejects.toMatchObject({ code: '42501' });
      }
      await target.revoke(order);
    });

    it.each<[Verb, string]>([
      ['insert', "INSERT INTO apac.cases VALUES (7, 'seven')"],
      ['update', "UPDATE apac.cases SET note = 'x'"],
      ['delete', 'DELETE FROM apac.cases'],
    ])('a postgres lease may %s where its scope says so, and not read', async (verb, statement) => {
      const { order, url } = await target.mint(target.orderFor({ scope: scopeOf(['cases'], [verb], 'apac') }));
      expect(await rows(url, statement)).toEqual([]);
      await expect(rows(url, 'SELECT id FROM apac.cases')).rejects.toMatchObject({ code: '42501' });
      await target.revoke(order);
    });

    it('a postgres lease cannot connect to a database that it was not let into', async () => {
      const other = await createCrmDatabase(target.server);
      const { order, url } = await target.mint();
      await expect(rows(url.replace(target.crm.name, other.name), 'SELECT 1')).rejects.toMatchObject({ code: '42501' });
      await target.revoke(order);
      await other.drop();
    });

    it.each<[string, (lease: { role: string; url: string }) => Promise<{ config?: (url: string) => string }>]>([
      ['nothing listens', async () => ({ config: (url) => url.replace(/:\d+\//, ':1/') })],
      ['the database is missing', async () => ({ config: (url) => url.replace(target.crm.name, 'crm_missing') })],
      [
        'the role may not log in (28000), as where pg_hba.conf has no rule',
        async ({ role }) => {
          await target.asSuperuser(`ALTER ROLE ${role} NOLOGIN`);
          return {};
        },
      ],
      [
        'its connections are used up (53300)',
        async ({ role, url }) => {
          await target.asSuperuser(`ALTER ROLE ${role} CONNECTION LIMIT 1`);
          await openSession(url);
          return {};
        },
      ],
    ])('the use of a postgres lease proves nothing about its end when %s', async (_, breaks) => {
      const lease = await target.mint();
      const { order, handle, role: username, password } = lease;
      const { config } = await breaks(lease);
      const url = config?.(target.crm.loginUrl) ?? target.crm.loginUrl;
      const using = { config: { ...order.config, url }, handle, material: { username, password } };
      expect(await target.provider.use(using, patience())).toMatchObject({ kind: 'unknown' });
      await target.revoke(order);
    });

    it('a postgres lease holds no more connections than the connection allows', async () => {
      const config = PostgresConfigSchema.parse({ url: target.crm.url, maxConnections: 1 });
      const { order, url } = await target.mint(target.orderFor({ config }));
      const { client } = await openSession(url);
      await expect(openSession(url)).rejects.toMatchObject({ code: '53300' });
      await client.end();
      await target.revoke(order);
    });

    it('a postgres lease cannot log in after its expiry', async () => {
      const { order, url } = await target.mint();
      await target.provider.renew(
        { ...order, issuedAt: addSeconds(order.issuedAt, -60), expiresAt: addSeconds(order.issuedAt, -1) },
        target.provider.plan(order),
        patience(),
      );
      await expect(rows(url, 'SELECT 1')).rejects.toMatchObject({ code: '28P01' });
      await target.revoke(order);
    });

    it.each([1, 4096])('a postgres lease logs in with a verifier of %i rounds', async (scramIterations) => {
      const config = PostgresConfigSchema.parse({ url: target.crm.url, scramIterations });
      const { order, url, role, password } = await target.mint(target.orderFor({ config }));
      expect(await rows(url, 'SELECT current_user::text AS role')).toEqual([{ role }]);
      await expect(rows(url.replace(password, 'wrong'), 'SELECT 1')).rejects.toMatchObject({ code: '28P01' });
      const [stored] = await target.asSuperuser<{ verifier: string }>(
        `SELECT rolpassword AS verifier FROM pg_authid WHERE rolname = '${role}'`,
      );
      expect(stored?.verifier).toMatch(new RegExp(`^SCRAM-SHA-256\\$${String(scramIterations)}:`));
      await target.revoke(order);
    });

    it('a postgres lease has the address that the connection gives for agents', async () => {
      const { hostname: host, port } = new URL(target.crm.url);
      const address = { host: `${host}.elsewhere`, port: Number(port) + 1 };
      const order = target.orderFor({ config: PostgresConfigSchema.parse({ url: target.crm.url, address }) });
      const { secret } = await target.provider.mint(order, target.provider.plan(order), patience());
      expect(secret).toMatchObject({ ...address, database: target.crm.name });
      expect(secret.url).toContain(`@${address.host}:${String(address.port)}/${target.crm.name}`);
      await target.revoke(order);
    });
  });

  describe('under load and delay', () => {
    it('the postgres provider mints and revokes 64 leases of one scope at once, without an error and with nothing left', async () => {
      const minted = await Promise.all(Array.from({ length: 64 }, () => target.mint()));
      const outcomes = await Promise.all(minted.map(({ order }) => target.revoke(order)));
      expect(outcomes).toEqual(Array.from({ length: 64 }, () => ({ kind: 'revoked' })));
      const names = minted.map(({ role }) => `'${role}'`).join();
      expect(await target.asSuperuser(`SELECT FROM pg_roles WHERE rolname IN (${names})`)).toEqual([]);
    });

    it('the postgres provider mints for many new scopes on the same tables at once', async () => {
      const fresh = await createCrmDatabase(target.server, { owner: true });
      const config = PostgresConfigSchema.parse({ url: fresh.url });
      const verbs: Verb[][] = [
        ['select'],
        ['insert'],
        ['update'],
        ['delete'],
        ['select', 'insert'],
        ['select', 'update'],
      ];
      const minted = await Promise.all(
        verbs.map((some) => target.mint(target.orderFor({ config, scope: scopeOf(['cases'], some) }))),
      );
      for (const { order } of minted) expect(await target.revoke(order)).toEqual({ kind: 'revoked' });
      await fresh.drop();
    });

    it('the postgres provider makes nothing when a message is held up past `mintBy`', async () => {
      const order = target.orderFor({ mintBy: addSeconds(new Date(), 1) });
      const handle = target.provider.plan(order);
      const { client } = await openSession(target.crm.url);
      await client.query(`BEGIN; CREATE ROLE ${handle.role}`);
      const held = target.provider.mint(order, handle, patience());
      const refused = expect(held).rejects.toMatchObject({ code: 'provider_rejected' });
      await client.query(`SELECT pg_sleep_until($1)`, [addSeconds(order.mintBy, 0.05).toISOString()]);
      await client.end();
      await refused;
      expect(await target.roleCount(handle.role)).toBe(0);
    });

    it.each([
      ['is refused with', 3, 'provider_rejected'],
      ['bears', 1, undefined],
    ])('the postgres provider %s a target whose clock is %i s behind', async (_name, seconds, code) => {
      const order = target.orderFor({ issuedAt: addSeconds(new Date(), seconds) });
      const minting = target.mint(order);
      if (code === undefined) await minting;
      else await expect(minting).rejects.toMatchObject({ code, detail: expect.stringContaining('clocks') });
      expect(await target.roleCount(target.provider.plan(order).role)).toBe(code === undefined ? 1 : 0);
      await target.revoke(order);
    });

    it('the postgres provider gives up with its signal while it waits for a connection, and lets the others finish', async () => {
      const busy = Array.from({ length: 4 }, () => target.orderFor());
      const { client } = await openSession(target.crm.url);
      await client.query('BEGIN');
      for (const order of busy) await client.query(`CREATE ROLE ${target.provider.plan(order).role}`);
      const minting = busy.map((order) => target.mint(order));
      await untilWaiting(4);
      const fifth = target.orderFor();
      const start = performance.now();
      const refused = target.provider.mint(fifth, target.provider.plan(fifth), AbortSignal.timeout(100));
      await expect(refused).rejects.toMatchObject({ code: 'provider_unavailable' });
      expect(performance.now() - start).toBeLessThan(5_000);
      await client.end();
      for (const { order } of await Promise.all(minting))
        expect(await target.revoke(order)).toEqual({ kind: 'revoked' });
    });

    it('the postgres provider revokes a lease whose mint is under way, once that is done', async () => {
      const order = target.orderFor();
      const handle = target.provider.plan(order);
      const { client } = await openSession(target.crm.superuserUrl);
      await client.query('BEGIN; LOCK TABLE pg_auth_members IN SHARE MODE');
      const minting = target.provider.mint(order, handle, patience());
      await untilWaiting(1);
      const revoking = target.revoke(order);
      await untilWaiting(2);
      await client.end();
      await minting;
      expect(await revoking).toEqual({ kind: 'revoked' });
      expect(await target.roleCount(handle.role)).toBe(0);
    });

    it('the postgres provider revokes while every connection for mints is held up', async () => {
      const { order } = await target.mint();
      const held = Array.from({ length: 5 }, () => target.orderFor());
      const { client } = await openSession(target.crm.url);
      await client.query('BEGIN');
      for (const { leaseId } of held) await client.query(`CREATE ROLE ${leaseId.replace('lse_', 'mayfly_')}`);
      const minting = held.map((one) => target.mint(one));
      await untilWaiting(4);
      expect(await target.revoke(order)).toEqual({ kind: 'revoked' });
      await client.end();
      for (const lease of await Promise.all(minting)) await target.revoke(lease.order);
    });

    const untilWaiting = async (count: number): Promise<void> => {
      const waiting = `SELECT FROM pg_stat_activity WHERE datname = '${target.crm.name}' AND wait_event_type = 'Lock'`;
      for (let looks = 0; (await target.asSuperuser(waiting)).length < count; looks++) expect(looks).toBeLessThan(500);
    };
  });

  describe('the role of the connection', () => {
    it('the role of the connection needs no more than the documentation gives it', async () => {
      const config = PostgresConfigSchema.parse({ url: target.crm.loginUrl, role: target.crm.admin });
      const { checks } = await target.provider.probe(config, patience());
      expect(checks.length).toBeGreaterThan(4);
      expect(checks.filter(({ outcome }) => outcome === 'missing' || outcome === 'failed')).toEqual([]);
    });

    it('the role of the connection may own the tables instead', async () => {
      const owned = await createCrmDatabase(target.server, { owner: true });
      const { order, url } = await target.mint(
        target.orderFor({ config: PostgresConfigSchema.parse({ url: owned.url }) }),
      );
      expect(await rows(url, 'SELECT id FROM emea.cases')).toEqual([{ id: 1 }]);
      expect(await target.revoke(order)).toEqual({ kind: 'revoked' });
      await owned.drop();
    });

    it.each([
      ['CREATEROLE', 'ALTER ROLE $ NOCREATEROLE', 'ALTER ROLE $ CREATEROLE'],
      ['pg_signal_backend', 'REVOKE pg_signal_backend FROM $', 'GRANT pg_signal_backend TO $'],
    ])('a probe reports that the role of the connection lacks %s', async (right, take, give) => {
      await run(target.crm.superuserUrl, take.replace('$', target.crm.admin));
      const config = PostgresConfigSchema.parse({ url: target.crm.loginUrl, role: target.crm.admin });
      const { checks } = await target.provider.probe(config, patience());
      expect(checks.filter(({ outcome }) => outcome === 'missing' || outcome === 'failed')).toMatchObject([
        { name: right, outcome: 'missing' },
      ]);
      await run(target.crm.superuserUrl, give.replace('$', target.crm.admin));
    });

    it('the role of the connection cannot give what it was not given', async () => {
      await run(target.crm.superuserUrl, `CREATE TABLE IF NOT EXISTS emea.hidden ()`);
      await expect(target.mint(target.orderFor({ scope: scopeOf(['hidden']) }))).rejects.toMatchObject({
        code: 'provider_rejected',
      });
    });
  });
});
