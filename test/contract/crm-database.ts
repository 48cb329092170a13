import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { rows, run } from './sql.js';
import { TARGET_SERVERS, type TargetServer } from './target-server.js';

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

/**
 * The ways in which lease roles can be made, best last, with the SQL that sets each up besides the documented first
 * blocks.
 */
export const WAYS = {
  login: [],
  creators: [documented('CREATE ROLE mayfly_lessor_%s')],
  functions: [page('postgres-functions.sql'), documented('NOCREATEROLE;')],
} as const;
export type Way = keyof typeof WAYS;

type Start = (typeof TARGET_SERVERS)[number][1];

/** Each server with each way that it knows: before PostgreSQL 16, only `login`. */
export const SERVERS_AND_WAYS = TARGET_SERVERS.flatMap(
  ([version, start, startSmall]): (readonly [version: string, way: Way, start: Start, startSmall: Start])[] => {
    const isFrom16 = Number(version.replace('PostgreSQL ', '')) >= 16;
    const ways = isFrom16 ? (Object.keys(WAYS) as Way[]) : ['login' as const];
    return ways.map((way) => [version, way, start, startSmall]);
  },
);

interface CrmOptions {
  /** the connection's role owns schemas and tables; otherwise it has rights to pass on */
  readonly owner?: boolean;
  /** before PostgreSQL 16, every way is `login` */
  readonly way?: Way;
}

export async function createCrmDatabase(
  server: TargetServer,
  { owner = false, way = 'creators' }: CrmOptions = {},
): Promise<CrmDatabase> {
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
    ...(await documentedSql(superuserUrl, way)).map((block) => withNames(block, { name, admin, login, password })),
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

/** Returns the documented SQL: the first block for every version, the others from PostgreSQL 16 on. */
async function documentedSql(url: string, way: Way): Promise<readonly string[]> {
  const [server] = await rows<{ version: number }>(url, `SELECT current_setting('server_version_num')::int AS version`);
  const first = documented('CREATE ROLE mayfly_lessor NOLOGIN');
  if ((server?.version ?? 0) < 160_000) return [first];
  return [first, documented('GRANT pg_use_reserved_connections'), ...WAYS[way]];
}

/** Returns the documented SQL block that contains `text`. */
function documented(text: string): string {
  const blocks = [...page('connect-postgres.md').matchAll(/```sql\n(.*?)```/gs)].map(([, sql]) => String(sql));
  const block = blocks.find((sql) => sql.includes(text));
  if (block === undefined) throw new Error(`no block of SQL has \`${text}\``);
  return block;
}

function page(name: string): string {
  return readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8');
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
