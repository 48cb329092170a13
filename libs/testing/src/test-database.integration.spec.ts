import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import pg from 'pg';
import { startTestPostgres, type TestDatabase, type TestPostgres } from './test-database.js';

describe('the test PostgreSQL', () => {
  let postgres: TestPostgres;
  let first: TestDatabase;
  let second: TestDatabase;

  beforeAll(async () => {
    postgres = await startTestPostgres();
    [first, second] = await Promise.all([postgres.createDatabase(), postgres.createDatabase()]);
  });

  afterAll(async () => {
    await Promise.all([first.drop(), second.drop()]);
  });

  it('the test PostgreSQL gives each spec a database of its own, owned by a role that is no superuser', async () => {
    await query(first.url, 'CREATE TABLE only_here ()');
    expect(await query(second.url, "SELECT to_regclass('only_here') AS found")).toEqual([{ found: null }]);
    expect(await query(first.url, 'SELECT rolsuper FROM pg_roles WHERE rolname = current_user')).toEqual([
      { rolsuper: false },
    ]);
    expect(await query(first.adminUrl, 'SELECT rolsuper FROM pg_roles WHERE rolname = current_user')).toEqual([
      { rolsuper: true },
    ]);
  });

  it('the test PostgreSQL drops a database that still has a session', async () => {
    const database = await postgres.createDatabase();
    const session = new pg.Client({ connectionString: database.url });
    const ended = new Promise((resolve) => session.on('error', resolve));
    await session.connect();
    await database.drop();
    await expect(ended).resolves.toBeInstanceOf(Error);
    await expect(query(database.url, 'SELECT 1')).rejects.toMatchObject({ code: '3D000' });
  });

  it('the test PostgreSQL is gone, with its directory, after the test process was killed', async () => {
    const loader = fileURLToPath(new URL('../../../tools/run-typescript.mjs', import.meta.url));
    const module = JSON.stringify(new URL('./test-database.ts', import.meta.url).href);
    const code = `import { startTestPostgres } from ${module}; await startTestPostgres(); process.kill(process.pid, 'SIGKILL');`;
    const child = spawn(process.execPath, ['--import', loader, '--input-type=module', '-e', code]);
    const signal = await new Promise((resolve) =>
      child.once('exit', (_, name) => {
        resolve(name);
      }),
    );
    expect(signal).toBe('SIGKILL');
    const directory = join(tmpdir(), `mayfly-test-${String(child.pid)}`);
    expect(existsSync(directory)).toBe(true);
    for (let i = 0; existsSync(directory) && i < 1_000; i++) await sleep(50);
    expect(existsSync(directory)).toBe(false);
  }, 120_000);
});

async function query(url: string, text: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query<Record<string, unknown>>(text)).rows;
  } finally {
    await client.end();
  }
}
