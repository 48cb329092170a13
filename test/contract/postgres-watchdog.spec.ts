import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { PostgresConfigSchema } from '@mayfly/provider-postgres';
import { addSeconds } from '@mayfly/kernel';
import { watchdogSql } from '../support/watchdog.js';
import { openPostgresTarget, patience, type Lease, type PostgresTarget } from './postgres-target.js';
import { openSession, rows, run } from './sql.js';
import { TARGET_SERVERS } from './target-server.js';

describe.each(TARGET_SERVERS)('the watchdog of the owner of a target, on %s', (_, start) => {
  let target: PostgresTarget;
  beforeAll(async () => {
    target = await openPostgresTarget(start, 'login');
  });
  afterAll(() => target.close());

  const watch = async (): Promise<number | undefined> =>
    (await target.asSuperuser<{ ended: number }>('SELECT mayfly_watchdog.end_overdue() AS ended'))[0]?.ended;
  const check = async () => {
    const config = PostgresConfigSchema.parse({ url: target.crm.loginUrl, role: target.crm.admin });
    const { checks } = await target.provider.probe(config, patience());
    return checks.find(({ name }) => name === 'sessions end without Mayfly');
  };
  /** Opens a session of a lease, as an agent that lifted every time limit of its own. */
  const sessionOf = async ({ url }: Pick<Lease, 'url'>, ...statements: string[]) => {
    const { client, ended } = await openSession(url);
    for (const name of ['statement_timeout', 'idle_session_timeout', 'idle_in_transaction_session_timeout']) {
      await client.query(`SET ${name} = 0`);
    }
    for (const statement of statements) await client.query(statement);
    let isOver = false;
    void ended.then(() => (isOver = true));
    return { client, ended, isOpen: async () => !isOver && (await client.query('SELECT 1')).rowCount === 1 };
  };
  const expire = (role: string) => run(target.crm.superuserUrl, `ALTER ROLE ${role} VALID UNTIL '2020-01-01'`);

  it('the connection test warns while the server has no watchdog, or one that does not run', async () => {
    expect(await check()).toMatchObject({ outcome: 'warning', detail: expect.stringContaining('has no watchdog') });
    await run(target.crm.superuserUrl, watchdogSql(target.crm.admin));
    expect(await check()).toMatchObject({ outcome: 'warning', detail: expect.stringContaining('never ran') });
    await watch();
    expect(await check()).toMatchObject({ outcome: 'ok', detail: expect.stringMatching(/ran \d s ago.* 0 sessions/) });
    await run(target.crm.superuserUrl, `UPDATE mayfly_watchdog.heartbeat SET ran_at = now() - interval '10 minutes'`);
    expect(await check()).toMatchObject({ outcome: 'warning', detail: expect.stringContaining('last 600 s ago') });
  });

  it('an open session of a lease whose time is over is ended, whatever it does', async () => {
    const [lease, living] = [await target.mint(), await target.mint()];
    const [idle, open, other] = [
      await sessionOf(lease),
      await sessionOf(lease, 'BEGIN', 'SELECT 1'),
      await sessionOf(living),
    ];
    const busy = await sessionOf(lease);
    void busy.client.query('DO $$ BEGIN LOOP END LOOP; END $$').catch(() => undefined);
    expect(await watch()).toBe(0);
    await expire(lease.role);
    expect(await watch()).toBe(3);
    await Promise.all([idle.ended, open.ended, busy.ended]);
    expect(await other.isOpen()).toBe(true);
    await other.client.end();
    for (const { order } of [lease, living]) expect(await target.revoke(order)).toEqual({ kind: 'revoked' });
  });

  it('an open session of a lease that may not log in any more is ended: its revocation had begun', async () => {
    const lease = await target.mint();
    const session = await sessionOf(lease);
    await run(target.crm.superuserUrl, `ALTER ROLE ${lease.role} NOLOGIN`);
    expect(await watch()).toBe(1);
    await session.ended;
    await target.revoke(lease.order);
  });

  it('an open session goes on after a renewal, past the earlier deadline', async () => {
    const lease = await target.mint();
    const session = await sessionOf(lease);
    await expire(lease.role);
    const later = { ...lease.order, expiresAt: addSeconds(lease.order.expiresAt, 60) };
    await target.provider.renew(later, lease.handle, patience());
    expect(await watch()).toBe(0);
    expect(await session.isOpen()).toBe(true);
    await session.client.end();
    await target.revoke(lease.order);
  });

  it('a role that only looks like a lease, and any other role past its time, keeps its sessions', async () => {
    const names = [`mayfly_${'z'.repeat(26)}`, `${target.crm.admin}_visitor`];
    const sessions = [];
    for (const name of names) {
      await run(target.crm.superuserUrl, `CREATE ROLE ${name} LOGIN PASSWORD 'one'`);
      await run(target.crm.superuserUrl, `GRANT CONNECT ON DATABASE ${target.crm.name} TO ${name}`);
      const url = new URL(target.crm.superuserUrl);
      [url.username, url.password] = [name, 'one'];
      sessions.push(await sessionOf({ url: url.href }));
      await expire(name);
    }
    expect(await watch()).toBe(0);
    for (const { client } of sessions) await client.end();
    await run(target.crm.superuserUrl, ...names.map((name) => `DROP OWNED BY ${name}; DROP ROLE ${name}`));
  });

  it('neither a lease nor the role of the connection may call the watchdog or write its heartbeat', async () => {
    const lease = await target.mint();
    for (const url of [lease.url, target.crm.url]) {
      await expect(rows(url, 'SELECT mayfly_watchdog.end_overdue()')).rejects.toThrow('permission denied');
      await expect(run(url, 'UPDATE mayfly_watchdog.heartbeat SET ended = 0')).rejects.toThrow('permission denied');
    }
    await target.revoke(lease.order);
  });
});
