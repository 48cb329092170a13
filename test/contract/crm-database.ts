import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { rows, run } from './sql.js';
import type { TargetServer } from './target-server.js';

/**
 * A target database: schemas `emea` and `apac` with four tables each, one row a table, and the role of a connection.
 */
export interface CrmDatabase {
  readonly name: string;
  /** a login with exactly the rights of docs/connect-postgres.md; not a superuser */
  readonly loginUrl: string;
  /** the same login in the role `admin` */
  readonly url: string;
  /** the role of the connection */
  readonly admin: string;
  readonly superuserUrl: string;
  drop(): Promise<void>;
}

/** Creates the database. `owner`: the connection's role owns schemas and tables, otherwise it has rights to pass on. */
export async function createCrmDatabase(server: TargetServer, owner = false): Promise<CrmDatabase> {
  const id = randomUUID().replaceAll('-', '');
  const [name, admin, login, password] = [`crm_${id}`, `lessor_${id}`, `login_${id}`, `canary_${id}`];
  await run(server.url('postgres'), `CREATE DATABASE ${name}`);
  const superuserUrl = server.url(name);
  const tables = ['emea', 'apac'].flatMap((schema) =>
    ['customers', 'cases', 'case_notes', 'salaries'].map((table) => `${schema}.${table}`),
  );
  await run(
    superuserUrl,
    'CREATE SCHEMA emea; CREATE SCHEMA apac',
    ...tables.map((table) => `CREATE TABLE ${table} (id int, note text); INSERT INTO ${table} VALUES (1, 'one')`),
    ...(await documentedSql(superuserUrl)).map((block) => withNames(block, { name, admin, login, password })),
    ...(owner ? owning(admin, tables) : []),
  );
  const url = new URL(superuserUrl);
  url.username = login;
  url.password = password;
  const loginUrl = url.href;
  url.searchParams.set('options', `-c role=${admin}`);
  const drop = (): Promise<void> => removeDatabase(server, name, admin, login);
  return { name, loginUrl, url: url.href, admin, superuserUrl, drop };
}

function owning(admin: string, tables: readonly string[]): string[] {
  return [
    `REVOKE ALL ON SCHEMA emea, apac FROM ${admin}; REVOKE ALL ON ALL TABLES IN SCHEMA emea, apac FROM ${admin}`,
    `ALTER SCHEMA emea OWNER TO ${admin}; ALTER SCHEMA apac OWNER TO ${admin}`,
    ...tables.map((table) => `ALTER TABLE ${table} OWNER TO ${admin}`),
  ];
}

/** Returns the documented SQL: the first block for every version, the second from PostgreSQL 16 on. */
async function documentedSql(url: string): Promise<readonly string[]> {
  const page = readFileSync(new URL('../../docs/connect-postgres.md', import.meta.url), 'utf8');
  const blocks = [...page.matchAll(/```sql\n(.*?)```/gs)].map(([, sql]) => String(sql));
  const [server] = await rows<{ version: number }>(url, `SELECT current_setting('server_version_num')::int AS version`);
  return blocks.slice(0, (server?.version ?? 0) >= 160_000 ? 2 : 1);
}

function withNames(
  sql: string,
  { name, admin, login, password }: { name: string; admin: string; login: string; password: string },
): string {
  return sql
    .replaceAll('mayfly_lessor', admin)
    .replaceAll('mayfly_login', login)
    .replaceAll(/\bcrm\b/g, name)
    .replaceAll('choose-a-long-one', password);
}

/** Drops the database, then the roles of its leases and scopes, whose rights end with the database. */
async function removeDatabase(server: TargetServer, name: string, admin: string, login: string): Promise<void> {
  const made = await rows<{ role: string }>(
    server.url(name),
    `SELECT rolname AS role FROM pg_roles
      WHERE rolname LIKE 'mayfly\\_%' AND has_database_privilege(oid, current_database(), 'CONNECT')
         OR rolname LIKE '${admin}\\__%'`,
  );
  const roles = [...made.map(({ role }) => role), login, admin].map((role) => `DROP ROLE IF EXISTS ${role}`);
  await run(server.url('postgres'), `DROP DATABASE ${name} WITH (FORCE)`, ...roles);
}

/** Returns a member of a minted secret as text. */
export function secretText(secret: Readonly<Record<string, unknown>>, member: string): string {
  return String(secret[member]);
}
