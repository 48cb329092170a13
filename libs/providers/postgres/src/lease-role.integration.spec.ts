import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { CATALOG_ONLY, createClient } from '@mayfly/postgres';
import { addSeconds } from '@mayfly/kernel';
import { startTestPostgres } from '@mayfly/testing';
import type { Client } from 'pg';
import { createMessage, renewStatement } from './lease-role.js';

const NOW = new Date();
const SOON = addSeconds(NOW, 60);
let session: Client;
beforeAll(async () => {
  const { server } = await startTestPostgres();
  session = createClient(server.url('postgres', 'postgres'), {
    applicationName: 'mayfly',
    searchPath: CATALOG_ONLY,
    statementTimeoutMillis: 10_000,
    idleInTransactionMillis: 10_000,
  });
  await session.connect();
});
afterAll(() => session.end());

it.each(['"$user", public', 'public, pg_catalog', 'pg_catalog', ''])(
  'the postgres provider neither makes nor renews a role in a session with the pooler search path `%s`',
  async (path) => {
    const lease = { role: 'mayfly_unpinned', scopeRole: 'mayfly_scope_y', verifier: 'x', maxConnections: 1 };
    const facts = { version: 180_004, functions: false };
    const create = createMessage([{ ...lease, expiresAt: SOON, issuedAt: NOW, mintBy: SOON }], { facts });
    await session.query(`CREATE ROLE mayfly_scope_y; SELECT set_config('search_path', '${path}', false)`);
    await expect(session.query(create)).rejects.toMatchObject({ code: 'MF005' });
    await expect(
      session.query(renewStatement({ name: 'postgres', maker: null, byFunctions: false }, SOON, SOON)),
    ).rejects.toMatchObject({
      code: 'MF005',
    });
    expect((await session.query(`SELECT FROM pg_roles WHERE rolname = 'mayfly_unpinned'`)).rowCount).toBe(0);
    await session.query(`SELECT set_config('search_path', '${CATALOG_ONLY}', false)`);
    await session.query(create);
    await session.query('DROP ROLE mayfly_unpinned; DROP ROLE mayfly_scope_y');
  },
);
