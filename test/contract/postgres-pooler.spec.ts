import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { ProbeCheck } from '@mayfly/credentials';
import { PostgresConfigSchema, PostgresProvider, type PostgresConfig } from '@mayfly/provider-postgres';
import { secretText } from './crm-database.js';
import { PGBOUNCER_ABSENCE, startPgBouncer, type Pooler } from './pgbouncer.js';
import { openPostgresTarget, patience, scopeOf, type Order, type PostgresTarget } from './postgres-target.js';
import { openSession, rows } from './sql.js';
import { TARGET_SERVERS } from './target-server.js';

if (PGBOUNCER_ABSENCE !== undefined) console.warn(`SKIPPED SUITE PostgreSQL behind PgBouncer: ${PGBOUNCER_ABSENCE}`);

const IGNORED = { ignore_startup_parameters: 'options' };
const POOLERS = {
  session: { pool_mode: 'session', ...IGNORED },
  transaction: { pool_mode: 'transaction', query_wait_timeout: '2', ...IGNORED },
  byTurns: { pool_mode: 'transaction', server_round_robin: '1', ...IGNORED },
  statement: { pool_mode: 'statement', ...IGNORED },
  // what PgBouncer asked by default before 1.24.1: it does not look at VALID UNTIL (CVE-2025-2291)
  ageless: { pool_mode: 'transaction', auth_query: 'SELECT usename, passwd FROM pg_shadow WHERE usename=$1' },
  strict: { pool_mode: 'transaction' },
};

const suite = PGBOUNCER_ABSENCE === undefined ? describe.each(TARGET_SERVERS) : describe.skip.each(TARGET_SERVERS);
suite('the postgres provider and PgBouncer, on %s', (_, start) => {
  let target: PostgresTarget;
  let poolers: Record<keyof typeof POOLERS, Pooler>;
  let provider: PostgresProvider;
  beforeAll(async () => {
    target = await openPostgresTarget(start);
    const { superuserUrl } = target.crm;
    const started = Object.entries(POOLERS).map(
      async ([name, settings]) => [name, await startPgBouncer({ superuserUrl, settings })] as const,
    );
    poolers = Object.fromEntries(await Promise.all(started)) as typeof poolers;
  });
  afterAll(async () => {
    await Promise.all(Object.values(poolers).map((pooler) => pooler.stop()));
    await target.close();
  });
  beforeEach(() => {
    provider = new PostgresProvider();
  });
  afterEach(() => provider.close());

  const through = (pooler: Pooler): PostgresConfig =>
    PostgresConfigSchema.parse({
      url: pooler.through(target.crm.loginUrl),
      role: target.crm.admin,
      scramIterations: 1,
      connectionCapacity: 10_000,
    });
  const orderThrough = (pooler: Pooler): Order =>
    target.orderFor({ config: through(pooler), scope: scopeOf(['customers']) });
  const checkOf = async (pooler: Pooler, name: string): Promise<ProbeCheck | undefined> =>
    (await provider.probe(through(pooler), patience())).checks.find((check) => check.name === name);

  /** Leaves the pooler with so many sessions at the server that nobody uses. */
  const warmUp = async (pooler: Pooler, sessions: number): Promise<void> => {
    const url = pooler.through(target.crm.loginUrl);
    const opened = await Promise.all(Array.from({ length: sessions }, () => openSession(url)));
    for (const statement of ['BEGIN', 'COMMIT']) {
      for (const { client } of opened) await client.query(statement);
    }
    for (const { client } of opened) await client.end();
  };

  describe('between Mayfly and the server', () => {
    it('a pooler between Mayfly and the server mints and ends leases where it keeps each session at one process of the server', async () => {
      const order = orderThrough(poolers.session);
      const { handle, secret } = await provider.mint(order, provider.plan(order), patience());
      const { client, ended } = await openSession(secretText(secret, 'url'));
      expect((await client.query('SELECT id FROM emea.customers')).rows).toEqual([{ id: 1 }]);
      expect(await provider.revoke({ ...order, handle }, patience())).toEqual({ kind: 'revoked' });
      await ended.catch(() => undefined);
      await expect(client.query('SELECT id FROM emea.customers')).rejects.toThrow();
      await expect(rows(secretText(secret, 'url'), 'SELECT 1')).rejects.toThrow();
      expect(await checkOf(poolers.session, 'sessions of its own')).toMatchObject({
        outcome: 'warning',
        detail: expect.stringContaining('a pooler in session mode'),
      });
    });

    it.each(['transaction', 'byTurns', 'statement'] as const)(
      'a pooler between Mayfly and the server refuses to mint, and makes nothing, where it shares sessions (%s)',
      async (mode) => {
        const order = { ...orderThrough(poolers[mode]), scope: scopeOf(['salaries']) };
        const planned = provider.plan(order);
        // one for the session that watches and two more: those that are given out by turns come round to the same two
        if (mode !== 'statement') await warmUp(poolers[mode], 3);
        await expect(provider.mint(order, planned, patience())).rejects.toMatchObject({
          code: 'provider_rejected',
          nothingMinted: true,
          detail: expect.stringMatching(/a pooler .* use a pooler in session mode, or connect directly/),
        });
        expect(await target.roleCount(planned.role)).toBe(0);
        expect(await target.roleCount(planned.scopeRole)).toBe(0);
        expect(await checkOf(poolers[mode], 'sessions of its own')).toMatchObject({ outcome: 'missing' });
      },
    );

    it('a pooler between Mayfly and the server says what to change where it takes no settings of a session', async () => {
      const order = orderThrough(poolers.strict);
      await expect(provider.mint(order, provider.plan(order), patience())).rejects.toMatchObject({
        code: 'provider_rejected',
        nothingMinted: true,
        detail: expect.stringContaining('ignore_startup_parameters'),
      });
      expect(await checkOf(poolers.strict, 'log in')).toMatchObject({
        outcome: 'failed',
        detail: expect.stringContaining('ignore_startup_parameters'),
      });
    });

    it('Mayfly ends leases that were minted before the pooler began to share sessions', async () => {
      const lease = await target.mint();
      const { client, ended } = await openSession(lease.url);
      const order = { ...lease.order, handle: lease.handle, config: through(poolers.byTurns) };
      // more than the watch needs, so that changes are made in sessions that nobody told anything
      await warmUp(poolers.byTurns, 6);
      expect(await provider.revoke(order, patience())).toEqual({ kind: 'revoked' });
      await ended;
      await expect(client.query('SELECT id FROM emea.customers')).rejects.toThrow();
      expect(await target.roleCount(lease.role)).toBe(0);
    });
  });

  describe('between agents and the server', () => {
    it('a pooler between agents and the server lets nobody in with an ended lease, and reads nothing for a client that is connected', async () => {
      const lease = await target.mint(target.orderFor({ scope: scopeOf(['customers']) }));
      const url = poolers.transaction.through(lease.url);
      const { client } = await openSession(url);
      const { client: idle } = await openSession(url);
      expect((await client.query('SELECT id FROM emea.customers')).rows).toEqual([{ id: 1 }]);
      expect(await target.revoke(lease.order)).toEqual({ kind: 'revoked' });
      await expect(rows(url, 'SELECT id FROM emea.customers')).rejects.toMatchObject({ code: '08P01' });
      const late = await Promise.allSettled([client, idle].map((one) => one.query('SELECT id FROM emea.customers')));
      const ends = { status: 'rejected', reason: expect.objectContaining({ code: '08P01' }) };
      expect(late).toEqual([ends, ends]);
    });

    it('a pooler between agents and the server lets a lease in after its expiry where it looks at no expiry, until Mayfly ends the lease', async () => {
      const lease = await target.mint(target.orderFor({ scope: scopeOf(['customers']) }));
      const url = poolers.ageless.through(lease.url);
      await rows(url, 'SELECT id FROM emea.customers');
      await target.asSuperuser(`ALTER ROLE ${lease.role} VALID UNTIL '2001-01-01'`);
      await expect(rows(lease.url, 'SELECT 1')).rejects.toMatchObject({ code: '28P01' });
      expect(await rows(url, 'SELECT id FROM emea.customers')).toEqual([{ id: 1 }]);
      expect(await target.revoke(lease.order)).toEqual({ kind: 'revoked' });
      await expect(rows(url, 'SELECT id FROM emea.customers')).rejects.toMatchObject({ code: '08P01' });
    });

    it('a pooler between agents and the server is named by the connection test where it may not know the users of leases', async () => {
      const address = { host: '127.0.0.1', port: poolers.transaction.port };
      const config = PostgresConfigSchema.parse({ url: target.crm.loginUrl, role: target.crm.admin, address });
      const { checks } = await provider.probe(config, patience());
      expect(checks.find(({ name }) => name === 'log in as an agent does')).toMatchObject({
        outcome: 'warning',
        detail: expect.stringContaining('auth_query'),
      });
    });
  });
});
