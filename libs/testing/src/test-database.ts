import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '@mayfly/embedded';
import pg from 'pg';

/** A new, empty database for one spec. */
export interface TestDatabase {
  readonly name: string;
  /** the URL for `mayfly_app`, the owner of the database and no superuser, as for the service */
  readonly url: string;
  /** the URL for the superuser, for setup and inspection */
  readonly adminUrl: string;
  /** Drops the database and ends its sessions. */
  drop(): Promise<void>;
}

/** The real PostgreSQL server of the tests. */
export interface TestPostgres {
  readonly server: EmbeddedPostgres;
  createDatabase(): Promise<TestDatabase>;
}

/**
 * Returns the PostgreSQL server of this test process. The first spec file starts it (about 0.7 s), later files reuse it
 * (about 30 ms). It stops, and its directory is deleted, when the process ends for any reason.
 */
export function startTestPostgres(): Promise<TestPostgres> {
  running ??= start();
  return running;
}

/** One for each spec file, since each file loads its own modules. */
let running: Promise<TestPostgres> | undefined;

async function start(): Promise<TestPostgres> {
  const dataDir = join(tmpdir(), `mayfly-test-${String(process.pid)}`);
  if (!existsSync(dataDir)) cleanUpAfterThisProcess(dataDir);
  const server = await startEmbeddedPostgres({ dataDir });
  await runAll(server.url('postgres', 'postgres'), [DROP_LEASE_ROLES]);
  return { server, createDatabase: () => createDatabase(server) };
}

/**
 * Drops the lease roles that earlier spec files of this process left: files run one after the other, and the roles would use
 * up the connections that leases may open at the server.
 */
const DROP_LEASE_ROLES = `DO $$ DECLARE one record; BEGIN
  FOR one IN SELECT oid, rolname FROM pg_roles WHERE rolname ~ '^mayfly_[0-9a-z]{26}$' LOOP
    BEGIN
      PERFORM pg_terminate_backend(pid) FROM pg_stat_activity WHERE usesysid = one.oid;
      EXECUTE format('DROP ROLE %I', one.rolname);
    EXCEPTION WHEN OTHERS THEN NULL; -- it has something in a database that a spec keeps
    END;
  END LOOP;
END $$`;

async function createDatabase(server: EmbeddedPostgres): Promise<TestDatabase> {
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  const run = (...statements: string[]) => runAll(server.url('postgres', 'postgres'), statements);
  await run(`CREATE DATABASE ${name} OWNER mayfly_app`, `REVOKE ALL ON DATABASE ${name} FROM PUBLIC`);
  return {
    name,
    url: server.url(name),
    adminUrl: server.url(name, 'postgres'),
    // A pool that has ended may still be closing its sessions; to end them by force would be an error in the pool.
    drop: () => run(UNTIL_LEFT.replace('?', name), `DROP DATABASE IF EXISTS ${name} WITH (FORCE)`),
  };
}

/** Waits until nobody has a session in the database, for half a second at most. */
const UNTIL_LEFT = `DO $$ BEGIN
  FOR n IN 1..10 LOOP
    EXIT WHEN NOT EXISTS (SELECT FROM pg_stat_activity WHERE datname = '?' AND backend_type = 'client backend');
    PERFORM pg_sleep(0.05), pg_stat_clear_snapshot();
  END LOOP;
END $$`;

async function runAll(url: string, statements: readonly string[]): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    for (const statement of statements) await client.query(statement);
  } finally {
    await client.end();
  }
}

/** Deletes the server after this process ends. An exit handler would not run when a test process is killed. */
function cleanUpAfterThisProcess(dataDir: string): void {
  const script = `
    while kill -0 "$1" 2>/dev/null; do sleep 0.2; done
    pidfile="$2/postgres/data/postmaster.pid"
    [ -e "$pidfile" ] && kill -INT "$(head -n 1 "$pidfile")"
    while [ -e "$pidfile" ]; do sleep 0.1; done
    rm -rf "$2"`;
  const watch = ['-c', script, 'clean-up', String(process.pid), dataDir];
  spawn('sh', watch, { detached: true, stdio: 'ignore', cwd: tmpdir() }).unref();
}
