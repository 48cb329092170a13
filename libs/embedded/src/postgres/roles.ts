import { CATALOG_ONLY, createClient, type SessionOptions } from '@mayfly/postgres';
import pg from 'pg';
import type { SecretFile } from '../secret-file.js';

const SESSION: SessionOptions = {
  applicationName: 'mayfly set-up',
  searchPath: CATALOG_ONLY,
  statementTimeoutMillis: 0,
  idleInTransactionMillis: 0,
};

/**
 * Prepares the role `mayfly_app`, which uses the database `mayfly` and owns only the queue in it (ADR 0007). Revokes
 * PUBLIC's right to connect to every database that is not meant for leases: by default each role may connect to each
 * database. `superuserUrl` connects to the database `postgres`. Safe to repeat.
 */
export async function provisionService(superuserUrl: string, password: SecretFile): Promise<void> {
  await withSetUpSession(superuserUrl, async (client) => {
    await ensureLoginRole(client, 'mayfly_app', password);
    await client.query('GRANT pg_use_reserved_connections TO mayfly_app');
    await ensureDatabase(client, 'mayfly', 'postgres');
    await client.query('REVOKE ALL ON DATABASE mayfly, postgres, template1 FROM PUBLIC');
    await client.query('GRANT CONNECT, CREATE, TEMPORARY ON DATABASE mayfly TO mayfly_app');
  });
}

/** Runs `use` in a session of the embedded server. Unqualified names resolve to the server's own catalog only. */
export async function withSetUpSession(url: string, use: (client: pg.ClientBase) => Promise<void>): Promise<void> {
  const client = createClient(url, SESSION);
  await client.connect();
  try {
    await use(client);
  } finally {
    await client.end();
  }
}

/**
 * Creates the login role. Sets its password when the role or the password is new. `attributes` are those of CREATE
 * ROLE.
 */
export async function ensureLoginRole(
  client: pg.ClientBase,
  role: string,
  password: SecretFile,
  attributes = '',
): Promise<void> {
  const known = await client.query('SELECT FROM pg_roles WHERE rolname = $1', [role]);
  const definition = `${pg.escapeIdentifier(role)} LOGIN ${attributes} PASSWORD ${pg.escapeLiteral(password.content)}`;
  if (known.rowCount === 0) await client.query(`CREATE ROLE ${definition}`);
  else if (password.created) await client.query(`ALTER ROLE ${definition}`);
}

/** Creates the database for `owner`. Any other role needs a grant to connect. */
export async function ensureDatabase(client: pg.ClientBase, database: string, owner: string): Promise<void> {
  const known = await client.query('SELECT FROM pg_database WHERE datname = $1', [database]);
  const name = pg.escapeIdentifier(database);
  if (known.rowCount === 0) await client.query(`CREATE DATABASE ${name} OWNER ${pg.escapeIdentifier(owner)}`);
  await client.query(`REVOKE ALL ON DATABASE ${name} FROM PUBLIC`);
}
