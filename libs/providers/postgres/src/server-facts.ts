import { canOwnerFunctionsMark, hasOwnerFunctions } from './owner-functions.js';
import type { Session } from './session.js';

/** The facts that a session read about its server and about its current role. */
export interface ServerFacts {
  /** `server_version_num`, such as 180004 */
  readonly version: number;
  /**
   * `<system identifier>/<oid of the database>`, or `role <oid of the session's role>/…` when that role may not call
   * `pg_control_system`. A copy of the server's files, such as a standby or an old snapshot, has the same identity.
   */
  readonly identity: string;
  readonly database: string;
  /** the current role of the session */
  readonly role: string;
  /** roles with CREATEROLE that the session may take; if there are any, one of them creates each lease role */
  readonly creators: readonly string[];
  /** true when functions of the target's owner create and end lease roles (ADR 0004) */
  readonly functions: boolean;
  /** true when those functions can also mark lease roles */
  readonly marksByFunction: boolean;
  /** true when the session's role may change every role of the server */
  readonly isSuperuser: boolean;
  /** `max_prepared_transactions` */
  readonly preparedTransactions: number;
  /** connections that the server gives to roles without special rights */
  readonly connections: number;
  /** the server process of the session; behind a pooler the session's client does not know it */
  readonly process: number;
  readonly clock: ServerClock;
}

/** The server's clock, read at an instant of this process's monotonic clock. Milliseconds. */
export interface ServerClock {
  readonly serverMs: number;
  readonly sentMs: number;
  readonly receivedMs: number;
}

const FACTS = `
  SELECT current_setting('server_version_num')::int AS version,
         (SELECT oid::text FROM pg_database WHERE datname = current_database()) AS "databaseOid",
         current_database()::text AS database,
         current_user::text AS role,
         (SELECT oid::text FROM pg_roles WHERE rolname = current_user) AS "roleOid",
         (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) AS "isSuperuser",
         has_function_privilege('pg_control_system()', 'EXECUTE') AS "isOpen",
         current_setting('max_prepared_transactions')::int AS "preparedTransactions",
         current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
           - coalesce(current_setting('reserved_connections', true), '0')::int AS connections,
         pg_backend_pid() AS process,
         extract(epoch FROM clock_timestamp())::float * 1000 AS "serverMs"`;

const SYSTEM = 'SELECT system_identifier::text AS system FROM pg_control_system()';

/**
 * Roles that can create lease roles. Needs PostgreSQL 16, which added `set_option`; before, CREATEROLE can change every
 * role that is no superuser.
 */
const CREATORS = `
  SELECT creator.rolname AS name FROM pg_auth_members AS held JOIN pg_roles AS creator ON creator.oid = held.roleid
   WHERE held.member = (SELECT oid FROM pg_roles WHERE rolname = current_user) AND held.set_option
     AND creator.rolcreaterole AND NOT creator.rolcanlogin AND NOT creator.rolsuper
   ORDER BY 1`;

interface FactsRow {
  readonly version: number;
  readonly databaseOid: string;
  readonly database: string;
  readonly role: string;
  readonly roleOid: string;
  readonly isSuperuser: boolean;
  readonly isOpen: boolean;
  readonly preparedTransactions: number;
  readonly connections: number;
  readonly process: number;
  readonly serverMs: number;
}

/** Returns the roles that made lease roles and that the session may work as, as far as its facts tell. */
export function makersIn({ role, creators }: Pick<ServerFacts, 'role' | 'creators'>): readonly string[] {
  return [role, ...creators];
}

/** Reads the facts over the session. Throws the driver's errors. */
export async function factsOf(session: Session): Promise<ServerFacts> {
  const sentMs = performance.now();
  const [row] = (await session.query<FactsRow & Record<string, unknown>>(FACTS)).rows;
  const receivedMs = performance.now();
  if (row === undefined) throw new Error('the server did not report its version');
  const { version, database, role, isSuperuser, preparedTransactions, connections, process } = row;
  const creators = version < 160_000 ? [] : (await session.query<{ name: string }>(CREATORS)).rows;
  const functions = version >= 160_000 && (await hasOwnerFunctions(session));
  return {
    version,
    identity: await identityOf(session, row),
    database,
    role,
    creators: creators.map(({ name }) => name),
    functions,
    marksByFunction: functions && (await canOwnerFunctionsMark(session)),
    isSuperuser,
    preparedTransactions,
    connections,
    process,
    clock: { serverMs: row.serverMs, sentMs, receivedMs },
  };
}

async function identityOf(session: Session, { isOpen, roleOid, databaseOid }: FactsRow): Promise<string> {
  if (!isOpen) return `role ${roleOid}/${databaseOid}`;
  const [control] = (await session.query<{ system: string }>(SYSTEM)).rows;
  return `${control?.system ?? ''}/${databaseOid}`;
}
