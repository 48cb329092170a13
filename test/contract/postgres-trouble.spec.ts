import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import type { ProbeCheck } from '@mayfly/credentials';
import { PostgresConfigSchema, PostgresProvider, type PostgresConfig } from '@mayfly/provider-postgres';
import { secretText } from './crm-database.js';
import { fillLockTable } from './postgres-misdeeds.js';
import { openPostgresTarget, patience, scopeOf, type PostgresTarget } from './postgres-target.js';
import { openSession, rows, run } from './sql.js';
import { TARGET_SERVERS } from './target-server.js';

describe.each(TARGET_SERVERS)('the postgres provider in trouble, on %s', (version, _, startSmall) => {
  let target: PostgresTarget;
  let provider: PostgresProvider;
  beforeAll(async () => {
    target = await openPostgresTarget(startSmall);
  });
  afterAll(() => target.close());
  beforeEach(() => {
    provider = new PostgresProvider();
  });
  afterEach(() => provider.close());
  const from16 = Number(version.replace('PostgreSQL ', '')) >= 16 ? it : it.skip;

  const configOf = (more: object = {}): PostgresConfig =>
    PostgresConfigSchema.parse({
      url: target.crm.loginUrl,
      role: target.crm.admin,
      scramIterations: 1,
      acceptPreparedTransactions: true,
      ...more,
    });
  const mint = async (config = configOf()) => {
    const order = target.orderFor({ config, scope: scopeOf(['customers']) });
    const { handle, secret } = await provider.mint(order, provider.plan(order), patience());
    return {
      order,
      handle,
      url: secretText(secret, 'url'),
      end: () => provider.revoke({ ...order, handle }, patience()),
    };
  };
  const probed = async (config = configOf()): Promise<readonly ProbeCheck[]> =>
    (await provider.probe(config, patience())).checks;

  it('the postgres provider ends leases where leases took every connection slot of the server', async () => {
    const leases = await Promise.all(
      Array.from({ length: 6 }, () => mint(configOf({ maxConnections: 20, connectionCapacity: 1_000 }))),
    );
    const sessions: Awaited<ReturnType<typeof openSession>>[] = [];
    const fill = async (url: string): Promise<unknown> => {
      for (;;) {
        const opened = await openSession(url).catch((error: unknown) => error);
        if (opened instanceof Error) return opened;
        sessions.push(opened as (typeof sessions)[number]);
      }
    };
    for (const { url } of leases) expect(await fill(url)).toMatchObject({ code: '53300' });
    for (const { end } of leases) expect(await end()).toEqual({ kind: 'revoked' });
    for (const { client, ended } of sessions) {
      expect(await ended).toBeInstanceOf(Error);
      await expect(client.query('SELECT id FROM emea.customers')).rejects.toThrow();
    }
    for (const { url } of leases) await expect(rows(url, 'SELECT 1')).rejects.toMatchObject({ code: '28P01' });
  });

  it('the postgres provider hands out no more connections than the server can bear, however many ask at the same time', async () => {
    const config = configOf({ maxConnections: 5, connectionCapacity: 20 });
    const asked = await Promise.allSettled(Array.from({ length: 12 }, () => mint(config)));
    const granted = asked.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    const [sum] = await target.asSuperuser<{ sum: number }>(
      `SELECT coalesce(sum(rolconnlimit), 0)::int AS sum FROM pg_roles WHERE rolname ~ '^mayfly_[0-9a-z]{26}$'`,
    );
    expect(sum?.sum).toBe(granted.length * 5);
    expect(granted.length).toBeLessThanOrEqual(4);
    for (const one of asked) {
      if (one.status === 'rejected')
        expect(one.reason).toMatchObject({
          code: 'quota_exceeded',
          nothingMinted: true,
          extensions: { control: 'connection-capacity' },
        });
    }
    for (const { end } of granted) expect(await end()).toEqual({ kind: 'revoked' });
    expect(await (await mint(config)).end()).toEqual({ kind: 'revoked' });
  });

  it('the postgres provider bars logins at once and ends other leases while sessions of ten leases ignore their termination', async () => {
    const config = configOf({ connectionCapacity: 1_000 });
    const stubborn = await Promise.all(Array.from({ length: 10 }, () => mint(config)));
    const frozen: number[] = [];
    for (const { url } of stubborn) {
      const { client } = await openSession(url);
      const [backend] = (await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid')).rows;
      frozen.push(backend!.pid);
      process.kill(backend!.pid, 'SIGSTOP');
    }
    const other = await mint(config);
    const { client, ended } = await openSession(other.url);
    const settled: string[] = [];
    const ending = stubborn.map(async ({ end }) => {
      const { kind } = await end();
      settled.push(kind);
      return kind;
    });
    expect(await other.end()).toEqual({ kind: 'revoked' });
    await ended;
    await expect(client.query('SELECT 1')).rejects.toThrow();
    for (const { url } of stubborn) await expect(rows(url, 'SELECT 1')).rejects.toMatchObject({ code: '28P01' });
    expect(settled).toEqual([]);
    for (const pid of frozen) process.kill(pid, 'SIGCONT');
    expect(await Promise.all(ending)).toEqual(stubborn.map(() => 'revoked'));
  });

  it('the postgres provider refuses new leases once a fresh login fails, although its open sessions work, until one works again', async () => {
    const lease = await mint();
    const { admin, superuserUrl } = target.crm;
    const login = new URL(target.crm.loginUrl);
    await run(superuserUrl, `ALTER ROLE ${login.username} PASSWORD 'another one'`);
    expect(await probed()).toMatchObject([
      { name: 'log in', outcome: 'failed', detail: expect.stringContaining('28P01') },
    ]);
    await expect(provider.attend(configOf(), patience())).rejects.toMatchObject({ code: 'provider_rejected' });
    await expect(mint()).rejects.toMatchObject({ code: 'provider_rejected', detail: expect.stringContaining('28P01') });
    expect(await lease.end()).toEqual({ kind: 'revoked' });
    await run(superuserUrl, `ALTER ROLE ${login.username} PASSWORD '${login.password}'`);
    await provider.attend(configOf(), patience());
    expect(await (await mint()).end()).toEqual({ kind: 'revoked' });
    expect(admin).not.toBe(login.username);
  });

  it('the postgres provider gives way to an administrator who rebuilds a shared catalog, and ends leases after that', async () => {
    const lease = await mint();
    await run(target.crm.superuserUrl, `SET statement_timeout = '20s'`, 'REINDEX TABLE pg_auth_members');
    expect(await lease.end()).toEqual({ kind: 'revoked' });
  });

  it('the postgres provider says that nothing was minted where no session could be had', async () => {
    const nowhere = configOf({ url: 'postgresql://lessor:pw@no-such-host.invalid:5432/crm' });
    const order = target.orderFor({ config: nowhere });
    await expect(provider.mint(order, provider.plan(order), patience())).rejects.toMatchObject({
      code: 'provider_unavailable',
      nothingMinted: true,
      detail: expect.stringContaining('the host of the connection has no address'),
    });
  });

  it('the postgres provider ends what another login of its role made', async () => {
    const { admin, superuserUrl, loginUrl } = target.crm;
    const second = new URL(loginUrl);
    second.username = `${admin}_second`;
    await run(
      superuserUrl,
      `CREATE ROLE ${second.username} LOGIN PASSWORD '${second.password}'`,
      `GRANT ${admin} TO ${second.username}`,
    );
    const lease = await mint();
    const { client, ended } = await openSession(lease.url);
    const config = configOf({ url: second.href });
    expect(await provider.revoke({ ...lease.order, config, handle: lease.handle }, patience())).toEqual({
      kind: 'revoked',
    });
    expect(await ended).toBeInstanceOf(Error);
    await expect(client.query('SELECT 1')).rejects.toThrow();
    const [first, next] = [await mint(), await mint(config)];
    expect([await first.end(), await next.end()]).toEqual([{ kind: 'revoked' }, { kind: 'revoked' }]);
    expect((await probed()).find(({ name }) => name === 'another login could end the leases')).toEqual(
      from16 === it ? expect.objectContaining({ outcome: 'ok' }) : undefined,
    );
  });

  from16('a revocation that may not end the role of another login says so, and a probe warns of it', async () => {
    const { admin, superuserUrl, loginUrl, name } = target.crm;
    const urls = ['lone_a', 'lone_b'].map((suffix) => {
      const url = new URL(loginUrl);
      url.username = `${admin}_${suffix}`;
      return url;
    });
    for (const { username, password } of urls) {
      await run(
        superuserUrl,
        `CREATE ROLE ${username} LOGIN CREATEROLE PASSWORD '${password}'; GRANT pg_signal_backend TO ${username}`,
        `GRANT CONNECT ON DATABASE ${name} TO ${username} WITH GRANT OPTION; GRANT USAGE ON SCHEMA emea TO ${username} WITH GRANT OPTION`,
        `GRANT SELECT ON ALL TABLES IN SCHEMA emea TO ${username} WITH GRANT OPTION`,
      );
    }
    const [a, b] = urls.map(({ href }) =>
      PostgresConfigSchema.parse({ url: href, scramIterations: 1, acceptPreparedTransactions: true }),
    );
    const [first, second] = [await mint(a), await mint(b)];
    expect(await provider.revoke({ ...first.order, config: b!, handle: first.handle }, patience())).toMatchObject({
      kind: 'unknown',
      detail: expect.stringMatching(/could not disable its login: .*42501.*to act as the role that made it/),
    });
    expect((await probed(a)).filter(({ outcome }) => outcome === 'warning').map((check) => check.name)).toEqual(
      expect.arrayContaining(['another login could end the leases', 'cost of many leases']),
    );
    expect([await first.end(), await second.end()]).toEqual([{ kind: 'revoked' }, { kind: 'revoked' }]);
  });

  it('a probe names every right that is open to all leases', async () => {
    await run(
      target.crm.superuserUrl,
      'GRANT EXECUTE ON FUNCTION lo_create(oid) TO PUBLIC',
      `GRANT TEMPORARY ON DATABASE ${target.crm.name} TO PUBLIC`,
    );
    const open = (await probed()).filter(({ outcome }) => outcome === 'warning');
    expect(open).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ name: 'no large objects for PUBLIC', detail: expect.stringContaining('lo_create') }),
        expect.objectContaining({ name: 'no temporary tables for PUBLIC' }),
        expect.objectContaining({ name: 'no prepared transactions' }),
      ]),
    );
  });

  it('the postgres provider names the locks and catalogs that are open to all leases', async () => {
    const closed = (await probed()).filter(({ outcome }) => outcome === 'ok').map(({ name }) => name);
    expect(closed).toEqual(expect.arrayContaining(['no advisory locks for PUBLIC', 'no catalog that PUBLIC may lock']));
    await run(
      target.crm.superuserUrl,
      'GRANT EXECUTE ON FUNCTION pg_try_advisory_lock_shared(bigint) TO PUBLIC',
      'GRANT UPDATE ON pg_catalog.pg_settings TO PUBLIC',
    );
    expect(await probed()).toEqual(
      expect.arrayContaining([
        {
          name: 'no advisory locks for PUBLIC',
          outcome: 'warning',
          detail: expect.stringContaining('`pg_try_advisory_lock_shared(bigint)`'),
        },
        {
          name: 'no catalog that PUBLIC may lock',
          outcome: 'warning',
          detail: expect.stringContaining('`pg_settings`'),
        },
      ]),
    );
  });

  it('the postgres provider mints nothing where leases may prepare transactions, unless the connection accepts that', async () => {
    const config = configOf({ acceptPreparedTransactions: false });
    await expect(mint(config)).rejects.toMatchObject({ code: 'provider_rejected', nothingMinted: true });
    expect(await probed(config)).toEqual(
      expect.arrayContaining([
        expect.objectContaining({
          name: 'no prepared transactions',
          outcome: 'missing',
          detail: expect.stringContaining('max_prepared_transactions'),
        }),
      ]),
    );
  });

  it('the postgres provider probes a connection while a lease keeps a catalog locked that PUBLIC may lock', async () => {
    await run(target.crm.superuserUrl, 'GRANT UPDATE ON pg_catalog.pg_settings TO PUBLIC');
    const { client } = await openSession(target.crm.superuserUrl);
    await client.query('BEGIN; LOCK TABLE pg_catalog.pg_settings IN ACCESS EXCLUSIVE MODE');
    const checks = await probed();
    expect(checks.find(({ outcome }) => outcome === 'failed')).toBeUndefined();
    expect(checks.length).toBeGreaterThan(8);
    await client.end();
  });

  it('the postgres provider connects as soon as a full lock table has room, with no session open before', async () => {
    await run(target.crm.superuserUrl, 'GRANT EXECUTE ON FUNCTION pg_advisory_xact_lock(bigint) TO PUBLIC');
    const [filler, other] = [await mint(), await mint()];
    const restarted = new PostgresProvider();
    await provider.close();
    provider = new PostgresProvider();
    const [{ client: hole }, { client }] = [await openSession(filler.url), await openSession(filler.url)];
    await hole.query('BEGIN; SELECT count(pg_advisory_xact_lock(key)) FROM generate_series(-100, -1) AS key');
    await fillLockTable(client);
    const ending = restarted.revoke({ ...other.order, handle: other.handle }, patience());
    await expect(rows(target.crm.superuserUrl, 'SELECT 1')).rejects.toMatchObject({ code: '53200' });
    await hole.end();
    expect(await ending).toEqual({ kind: 'revoked' });
    expect(await restarted.revoke({ ...filler.order, handle: filler.handle }, patience())).toEqual({ kind: 'revoked' });
    await restarted.close();
  });
});
