import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Client, type ClientConfig, type QueryResultRow } from 'pg';
import type { TargetServer } from './target-server.js';

/** A target database: schemas `emea` and `apac` with four tables each, one row a table, and the role of a connection. */
export interface CrmDatabase {
  readonly name: string;
  /** as a role with exactly the rights that docs/connect-postgres.md gives; it is no superuser */
  readonly url: string;
  /** the role in `url` */
  readonly admin: string;
  readonly superuserUrl: string;
  drop(): Promise<void>;
}

/** `owner`: the connection's role owns schemas and tables; otherwise it was granted what it may pass on. */
export async function createCrmDatabase(server: TargetServer, owner = false): Promise<CrmDatabase> {
  const id = randomUUID().replaceAll('-', '');
  const [name, admin, password] = [`crm_${id}`, `lessor_${id}`, `canary_${id}`];
  await run(server.url('postgres'), `CREATE DATABASE ${name}`);
  const superuserUrl = server.url(name);
  const tables = ['emea', 'apac'].flatMap((schema) =>
    ['customers', 'cases', 'case_notes', 'salaries'].map((table) => `${schema}.${table}`),
  );
  await run(
    superuserUrl,
    'CREATE SCHEMA emea; CREATE SCHEMA apac',
    ...tables.map((table) => `CREATE TABLE ${table} (id int, note text); INSERT INTO ${table} VALUES (1, 'one')`),
    documentedSql(name, admin, password),
    ...(owner ? owning(admin, tables) : []),
  );
  const url = new URL(superuserUrl);
  url.username = admin;
  url.password = password;
  const drop = (): Promise<void> => removeDatabase(server, name, admin);
  return { name, url: url.href, admin, superuserUrl, drop };
}

function owning(admin: string, tables: readonly string[]): string[] {
  return [
    `REVOKE ALL ON SCHEMA emea, apac FROM ${admin}; REVOKE ALL ON ALL TABLES IN SCHEMA emea, apac FROM ${admin}`,
    `ALTER SCHEMA emea OWNER TO ${admin}; ALTER SCHEMA apac OWNER TO ${admin}`,
    ...tables.map((table) => `ALTER TABLE ${table} OWNER TO ${admin}`),
  ];
}

/** The SQL that the documentation gives for the role of a connection, with names of our own. */
function documentedSql(name: string, admin: string, password: string): string {
  const page = readFileSync(new URL('../../docs/connect-postgres.md', import.meta.url), 'utf8');
  const sql = /```sql\n(.*?)```/s.exec(page)?.[1] ?? '';
  return sql
    .replaceAll('mayfly_lessor', admin)
    .replaceAll(/\bcrm\b/g, name)
    .replaceAll('choose-a-long-one', password);
}

/** With the roles that were let in for leases and scopes. Their rights go with the database, so they can go after it. */
async function removeDatabase(server: TargetServer, name: string, admin: string): Promise<void> {
  const made = await rows<{ role: string }>(
    server.url(name),
    `SELECT rolname AS role FROM pg_roles
      WHERE rolname LIKE 'mayfly\\_%' AND has_database_privilege(oid, current_database(), 'CONNECT')`,
  );
  const roles = [...made.map(({ role }) => role), admin].map((role) => `DROP ROLE IF EXISTS ${role}`);
  await run(server.url('postgres'), `DROP DATABASE ${name} WITH (FORCE)`, ...roles);
}

/** Runs statements one after the other on a connection of their own. */
export async function run(url: string, ...statements: readonly string[]): Promise<void> {
  await connected(url, async (client) => {
    for (const statement of statements) await client.query(statement);
  });
}

export function rows<Row extends QueryResultRow>(url: string, statement: string): Promise<Row[]> {
  return connected(url, async (client) => (await client.query<Row>(statement)).rows);
}

/** An open session of one's own. `ended` resolves when the server ends it. */
export async function openSession(config: string | ClientConfig): Promise<{ client: Client; ended: Promise<Error> }> {
  const client = new Client(typeof config === 'string' ? { connectionString: config } : config);
  const ended = new Promise<Error>((resolve) => client.on('error', resolve));
  await client.connect();
  return { client, ended };
}

async function connected<T>(url: string, work: (client: Client) => Promise<T>): Promise<T> {
  const { client } = await openSession(url);
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

/** A member of a minted secret that is text. */
export function secretText(secret: Readonly<Record<string, unknown>>, member: string): string {
  return String(secret[member]);
}
