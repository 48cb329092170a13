import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type EmbeddedPostgres, startEmbeddedPostgres } from '@mayfly/embedded';
import pg from 'pg';

/** A fresh, empty database of one spec. */
export interface TestDatabase {
  readonly name: string;
  /** as `mayfly_app`, who owns the database and is no superuser: what the service has */
  readonly url: string;
  /** as the superuser, to set up and to look behind the scenes */
  readonly adminUrl: string;
  /** Removes the database, sessions included. */
  drop(): Promise<void>;
}

/** The real PostgreSQL of the tests. */
export interface TestPostgres {
  readonly server: EmbeddedPostgres;
  createDatabase(): Promise<TestDatabase>;
}

/**
 * The PostgreSQL server of this test process: the first spec file starts it (about 0.7 s), the later ones take it over
 * (about 30 ms). Specs do not stop it: that happens, and its directory goes, when the process ends, however it ends.
 */
export function startTestPostgres(): Promise<TestPostgres> {
  running ??= start();
  return running;
}

/** Of this spec file: each one has modules of its own. */
let running: Promise<TestPostgres> | undefined;

async function start(): Promise<TestPostgres> {
  const dataDir = join(tmpdir(), `mayfly-test-${String(process.pid)}`);
  if (!existsSync(dataDir)) cleanUpAfterThisProcess(dataDir);
  const server = await startEmbeddedPostgres({ dataDir });
  return { server, createDatabase: () => createDatabase(server) };
}

async function createDatabase(server: EmbeddedPostgres): Promise<TestDatabase> {
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  const run = (...statements: string[]) => runAll(server.url('postgres', 'postgres'), statements);
  await run(`CREATE DATABASE ${name} OWNER mayfly_app`, `REVOKE ALL ON DATABASE ${name} FROM PUBLIC`);
  return {
    name,
    url: server.url(name),
    adminUrl: server.url(name, 'postgres'),
    drop: () => run(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`),
  };
}

async function runAll(url: string, statements: readonly string[]): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    for (const statement of statements) await client.query(statement);
  } finally {
    await client.end();
  }
}

/** Not an exit handler: those do not run when a test process is killed. */
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
