import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { MAYFLY } from '@mayfly/audit';
import type { Problem } from '@mayfly/kernel';
import { bareEntry, createMigratedDatabase, startTestPostgres, type TestDatabase } from '@mayfly/testing';
import pg from 'pg';
import { insertAudit } from '../audit/audit-rows.js';
import { AuditSealer } from '../audit/audit-sealer.js';
import { Database } from './database.js';
import { openTasks } from '../tasks/open-tasks.statement.js';
import { asOwner } from './runtime-role.js';
import { inTransaction } from './transaction.js';

let place: TestDatabase;
let database: Database;
beforeAll(async () => {
  const postgres = await startTestPostgres();
  place = await postgres.createDatabase();
  database = new Database({ url: place.url, onConnectionLost: () => undefined });
});
afterAll(async () => {
  await database.close();
  await place.drop();
});

/** Ends a session from another one, as a server that stops does, and waits until its client knows. */
async function end(client: pg.ClientBase): Promise<void> {
  const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
  // not `once` of node:events, which would listen for the error, too
  const gone = new Promise((resolve) => client.once('end', resolve));
  await database.pool.query('SELECT pg_terminate_backend($1)', [rows[0]?.pid]);
  await gone;
}

describe('a connection that breaks', () => {
  it('a connection that breaks between two statements of a transaction fails the transaction, and not the process', async () => {
    const broken = inTransaction(database.pool, async (client) => {
      await end(client);
      await client.query('SELECT 1');
    });
    await expect(broken).rejects.toThrow();
    await expect(database.pool.query('SELECT 1')).resolves.toBeDefined();
  });
});

describe('a session that is silent', () => {
  it('a session that is silent for 30 s in a transaction is ended by the server, with its locks', async () => {
    const { rows } = await database.pool.query('SHOW idle_in_transaction_session_timeout');
    expect(rows).toEqual([{ idle_in_transaction_session_timeout: '30s' }]);
  });
});

describe('a schema of the tables that others may create things in', () => {
  const other = `other_${randomUUID().slice(0, 8)}`;
  let tables: TestDatabase;
  let admin: pg.Client;
  beforeAll(async () => {
    tables = await createMigratedDatabase();
    admin = new pg.Client({ connectionString: tables.adminUrl });
    await admin.connect();
    await admin.query(`CREATE ROLE ${other}; GRANT CREATE, USAGE ON SCHEMA public TO PUBLIC`);
    await admin.query(`CREATE SEQUENCE public.calls; GRANT USAGE ON public.calls TO PUBLIC; SET ROLE ${other}`);
    await admin.query(SHADOWS);
    await admin.query('RESET ROLE');
  });
  afterAll(async () => {
    await admin.query(`DROP OWNED BY ${other} CASCADE; DROP ROLE ${other}`);
    await admin.end();
    await tables.drop();
  });

  it('a schema that others may create objects in lends none of them to the statements of the serving role', async () => {
    const serving = new Database({ url: tables.url, onConnectionLost: () => undefined });
    await insertAudit(serving.pool, [bareEntry('task.ended', new Date(), MAYFLY)]);
    await openTasks(serving.pool, []);
    await serving.pool.query(`SELECT public.quota_take('scope', 1, 1, 1)`);
    await new AuditSealer(serving.pool).seal();
    await serving.pool.query('SELECT name FROM public.issuer');
    await serving.close();
    const { rows } = await admin.query('SELECT is_called FROM public.calls');
    expect(rows).toEqual([{ is_called: false }]);
  });

  it('a schema of the tables that others may create things in is refused before a migration looks a name up there, with the statement that cures it', async () => {
    let worked = 0;
    const start = () => asOwner(tables.adminUrl, 'mayfly_app', async () => void (worked += 1));
    const cures: string[] = [];
    for (let refusals = 0; refusals < 20; refusals++) {
      const refusal = await start().catch((error: unknown) => error as Problem);
      if (refusal === undefined) break;
      expect(refusal).toMatchObject({ code: 'invalid_declaration' });
      expect(worked).toBe(0);
      const cure = /run `([^`]*)`/.exec(refusal.detail)?.[1] ?? '';
      cures.push(cure);
      await admin.query(cure);
    }
    expect(cures).toEqual([
      'REVOKE CREATE ON SCHEMA public FROM PUBLIC',
      'DROP FUNCTION public.array_fill(integer,integer[])',
      'DROP FUNCTION public.unnest(integer[])',
      'DROP FUNCTION public.unnest(pg_catalog.text[])',
      'DROP FUNCTION public.unnest(timestamp with time zone[])',
    ]);
    expect(worked).toBe(1);
  });

  it('a schema of the tables that others may create things in is refused when one role was let in by name, or has made the schema of the queue', async () => {
    await admin.query(`GRANT CREATE ON SCHEMA public TO ${other}; CREATE SCHEMA bullmq AUTHORIZATION ${other}`);
    const start = () => asOwner(tables.adminUrl, 'mayfly_app', () => Promise.resolve());
    await expect(start()).rejects.toThrow(`"${other}" can create objects in schema \`bullmq\``);
    await admin.query(`DROP SCHEMA bullmq; CREATE SCHEMA bullmq AUTHORIZATION mayfly_app`);
    await expect(start()).rejects.toThrow(`\`REVOKE CREATE ON SCHEMA public FROM "${other}"\``);
    await admin.query(`REVOKE CREATE ON SCHEMA public FROM ${other}`);
    await expect(start()).resolves.toBeUndefined();
  });
});

/**
 * Each takes exactly what our statements pass, and so beats the server's own, which takes any array; it counts its
 * calls.
 */
const SHADOWS = ['text', 'timestamptz', 'int']
  .map(
    (type) => `CREATE FUNCTION public.unnest(${type}[]) RETURNS SETOF ${type} LANGUAGE plpgsql AS $$ BEGIN
      PERFORM nextval('public.calls'); RETURN QUERY SELECT pg_catalog.unnest($1); END $$;`,
  )
  .concat(
    `CREATE FUNCTION public.array_fill(int, int[]) RETURNS int[] LANGUAGE plpgsql AS $$ BEGIN
      PERFORM nextval('public.calls'); RETURN pg_catalog.array_fill($1, $2); END $$`,
  )
  .join('\n');
