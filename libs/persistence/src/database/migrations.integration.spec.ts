import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startTestPostgres, type TestDatabase, type TestPostgres } from '@mayfly/testing';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { applyMigrations } from './migrations.js';

const FIRST = 'CREATE TABLE first (id int);\n';
const SECOND = `CREATE FUNCTION two() RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN 2; END $$; INSERT INTO first VALUES (two());`;

describe('applyMigrations', () => {
  let postgres: TestPostgres;
  let database: TestDatabase;
  let directory: string;
  const clients: pg.Client[] = [];

  beforeAll(async () => {
    postgres = await startTestPostgres();
  });

  beforeEach(async () => {
    database = await postgres.createDatabase();
    directory = mkdtempSync(join(tmpdir(), 'mayfly-migrations-'));
    writeFileSync(join(directory, 'migration_lock.toml'), 'provider = "postgresql"\n');
    write('20260101000000_first', FIRST);
    write('20260102000000_second', SECOND);
  });

  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.end()));
    await database.drop();
    rmSync(directory, { recursive: true });
  });

  afterAll(() => {
    expect(clients).toEqual([]);
  });

  function write(name: string, sql: string): void {
    mkdirSync(join(directory, name), { recursive: true });
    writeFileSync(join(directory, name, 'migration.sql'), sql);
  }

  async function connect(): Promise<pg.Client> {
    const client = new pg.Client({ connectionString: database.url });
    clients.push(client);
    await client.connect();
    return client;
  }

  async function tables(client: pg.Client): Promise<unknown[]> {
    const { rows } = await client.query<{ tablename: string }>(
      "SELECT tablename FROM pg_tables WHERE schemaname = 'public'",
    );
    return rows.map(({ tablename }) => tablename).sort();
  }

  it('applyMigrations applies what is missing, in order, and nothing twice', async () => {
    const client = await connect();
    expect(await applyMigrations(client, directory)).toEqual(['20260101000000_first', '20260102000000_second']);
    expect(await applyMigrations(client, directory)).toEqual([]);
    write('20260103000000_third', 'CREATE TABLE third ();');
    expect(await applyMigrations(client, directory)).toEqual(['20260103000000_third']);
    expect((await client.query('SELECT id FROM first')).rows).toEqual([{ id: 2 }]);
  });

  it("applyMigrations writes the ledger as Prisma's CLI does", async () => {
    const client = await connect();
    await applyMigrations(client, directory);
    const { rows } = await client.query<Record<string, unknown>>(
      'SELECT * FROM _prisma_migrations ORDER BY migration_name',
    );
    expect(rows).toHaveLength(2);
    expect(rows[0]).toMatchObject({
      checksum: createHash('sha256').update(FIRST).digest('hex'),
      migration_name: '20260101000000_first',
      applied_steps_count: 1,
      rolled_back_at: null,
      logs: null,
    });
    expect(rows[0]?.finished_at).toBeInstanceOf(Date);
  });

  it('applyMigrations changes nothing when one of the migrations fails', async () => {
    write('20260103000000_third', 'CREATE TABLE third (); SELECT 1 / 0;');
    const client = await connect();
    await expect(applyMigrations(client, directory)).rejects.toMatchObject({ code: '22012' });
    expect(await tables(client)).toEqual([]);
  });

  it('applyMigrations refuses a migration that was edited after it was applied, by name', async () => {
    const client = await connect();
    await applyMigrations(client, directory);
    write('20260101000000_first', `${FIRST}-- edited`);
    write('20260103000000_third', 'CREATE TABLE third ();');
    const refusal = {
      code: 'conflict',
      detail: expect.stringContaining('`20260101000000_first` was edited'),
    };
    await expect(applyMigrations(client, directory)).rejects.toMatchObject(refusal);
    expect(await tables(client)).not.toContain('third');
  });

  it("applyMigrations refuses to go on after a migration that failed in Prisma's CLI, until it is marked as rolled back", async () => {
    const client = await connect();
    await applyMigrations(client, directory);
    await client.query(`UPDATE _prisma_migrations SET finished_at = NULL WHERE migration_name LIKE '%second'`);
    const refusal = { code: 'conflict', detail: expect.stringContaining('failed before its end') };
    await expect(applyMigrations(client, directory)).rejects.toMatchObject(refusal);
    write('20260102000000_second', 'SELECT 1');
    await client.query(`UPDATE _prisma_migrations SET rolled_back_at = now() WHERE finished_at IS NULL`);
    expect(await applyMigrations(client, directory)).toEqual(['20260102000000_second']);
  });

  it('applyMigrations lets one of several racing instances apply', async () => {
    const racers = await Promise.all(Array.from({ length: 4 }, () => connect()));
    const applied = await Promise.all(racers.map((client) => applyMigrations(client, directory)));
    expect(applied.map((names) => names.length).sort()).toEqual([0, 0, 0, 2]);
  });

  it("applyMigrations waits for Prisma's CLI, which holds the same lock", async () => {
    const [cli, starter] = [await connect(), await connect()];
    await cli.query('SELECT pg_advisory_lock(72707369)');
    const applying = applyMigrations(starter, directory);
    await waitFor(cli, `SELECT count(*)::int AS n FROM pg_locks WHERE locktype = 'advisory' AND NOT granted`);
    expect(await tables(cli)).toEqual([]);
    await cli.query('SELECT pg_advisory_unlock(72707369)');
    expect(await applying).toHaveLength(2);
  });
});

async function waitFor(client: pg.Client, countQuery: string): Promise<void> {
  for (;;) {
    const { rows } = await client.query<{ n: number }>(countQuery);
    if ((rows[0]?.n ?? 0) > 0) return;
  }
}
