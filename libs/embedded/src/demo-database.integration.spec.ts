import { startTestPostgres } from '@mayfly/testing';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { prepareDemoDatabase } from './demo-database.js';
import type { EmbeddedPostgres } from './embedded-postgres.js';

describe('the demo database', () => {
  let server: EmbeddedPostgres;
  let admin: pg.Client;
  const sessions: pg.Client[] = [];

  beforeAll(async () => {
    ({ server } = await startTestPostgres());
    admin = await connect(new URL(await prepareDemoDatabase(server)));
  });

  afterEach(async () => {
    await admin.query('REVOKE CONNECT ON DATABASE crm FROM visitor; DROP ROLE visitor').catch(() => undefined);
  });

  afterAll(async () => {
    await Promise.all(sessions.map((session) => session.end()));
  });

  async function connect(url: URL): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: url.href });
    await client.connect();
    sessions.push(client);
    return client;
  }

  const rows = async (text: string) => (await admin.query<Record<string, unknown>>(text)).rows;

  it.each([
    ['emea.customers', 3],
    ['emea.cases', 3],
    ['emea.case_notes', 6],
    ['apac.customers', 3],
    ['apac.cases', 3],
    ['apac.case_notes', 6],
    ['hr.salaries', 3],
  ])('the demo database has rows in %s', async (table, count) => {
    expect(await rows(`SELECT count(*)::int FROM ${table}`)).toEqual([{ count }]);
  });

  it('the demo database is administered by a role that may make roles and end sessions, and is no superuser', async () => {
    const [role] = await rows(`
      SELECT rolname, rolsuper, rolcreaterole, rolcreatedb, pg_has_role('pg_signal_backend', 'USAGE') AS may_signal
      FROM pg_roles WHERE rolname = current_user`);
    expect(role).toEqual({
      rolname: 'mayfly_crm',
      rolsuper: false,
      rolcreaterole: true,
      rolcreatedb: false,
      may_signal: true,
    });
  });

  it('the demo database changes nothing when it is prepared again', async () => {
    await admin.query("UPDATE emea.cases SET status = 'closed' WHERE id = 1");
    const url = await prepareDemoDatabase(server);
    expect(new URL(url).pathname).toBe('/crm');
    expect(await rows('SELECT status FROM emea.cases WHERE id = 1')).toEqual([{ status: 'closed' }]);
  });

  it('the demo database is closed to PUBLIC, and opened by the admin to whom it names', async () => {
    await admin.query("CREATE ROLE visitor LOGIN PASSWORD 'visitor'");
    const url = new URL(server.url('crm', 'mayfly_crm'));
    [url.username, url.password] = ['visitor', 'visitor'];
    await expect(connect(url)).rejects.toMatchObject({ code: '42501' });

    await admin.query('GRANT CONNECT ON DATABASE crm TO visitor');
    const visitor = await connect(url);
    for (const table of ['emea.cases', 'apac.customers', 'hr.salaries', 'public.anything']) {
      await expect(visitor.query(`SELECT FROM ${table}`)).rejects.toMatchObject({ code: '42501' });
    }
    await expect(visitor.query('CREATE TEMPORARY TABLE t ()')).rejects.toMatchObject({ code: '42501' });

    const ended = new Promise((resolve) => visitor.on('error', resolve));
    await admin.query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'visitor'");
    await expect(ended).resolves.toBeDefined();
  });
});
