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
 * Sees to the role `mayfly_app`, which serves from the database `mayfly` and owns nothing of it but its queue (ADR 0007), and
 * closes every database that is not meant for leases to roles that were not let in by name: by default each role may connect to each database.
 * `superuserUrl` leads to the database `postgres`. Repeating it changes nothing.
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

/** Runs `use` on a session of the embedded server, in which names that no schema qualifies are the server's own. */
export async function withSetUpSession(url: string, use: (client: pg.ClientBase) => Promise<void>): Promise<void> {
  const client = createClient(url, SESSION);
  await client.connect();
  try {
    await use(client);
  } finally {
    await client.end();
  }
}

/** Makes the login role; sets its password where the role or the password is new. `attributes` are those of CREATE ROLE. */
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

/** Makes the database, which belongs to `owner`; nobody else may connect to it until let in by name. */
export async function ensureDatabase(client: pg.ClientBase, database: string, owner: string): Promise<void> {
  const known = await client.query('SELECT FROM pg_database WHERE datname = $1', [database]);
  const name = pg.escapeIdentifier(database);
  if (known.rowCount === 0) await client.query(`CREATE DATABASE ${name} OWNER ${pg.escapeIdentifier(owner)}`);
  await client.query(`REVOKE ALL ON DATABASE ${name} FROM PUBLIC`);
}
