import type { Socket } from 'node:net';
import { escapeLiteral } from 'pg';

/** What differs between the kinds of sessions. */
export interface SessionOptions {
  /** as `pg_stat_activity` shows it */
  readonly applicationName: string;
  /** schemas in which unqualified names are looked up, as `SET search_path` takes them */
  readonly searchPath: string;
  /** the server gives up a statement that takes longer; 0 is no limit */
  readonly statementTimeoutMillis: number;
  /** the server ends a session that leaves a transaction open for longer; 0 is no limit */
  readonly idleInTransactionMillis: number;
  /** the role that the login works as; without it, the login's own or what was set for it */
  readonly role?: string;
  /** the socket of each connection, where addresses are judged; without it, node-postgres's own */
  readonly openSocket?: () => Socket;
  /** the certificate of the authority that signed the server's, as PEM; without it, the authorities that Node.js knows count */
  readonly authority?: string;
}

/**
 * Where the names in our statements are looked up, at a target and at the store: anywhere else, whoever may create things could
 * put a function or operator of their own in the place of the server's, for Mayfly to run with its rights. The order of schemas
 * does not help: a function that takes exactly `text[]` beats the server's that takes any array.
 */
export const CATALOG_ONLY = 'pg_catalog,pg_temp';

/** For migrations, whose statements make Mayfly's tables in this schema. Nobody else may have put anything there. */
export const STORE_SCHEMA = 'public,pg_temp';

/** The same in every session, on every version from 14 on. */
const ALWAYS = {
  // how values are written and read: Prisma's adapter drops the offset of an instant, and sends instants without one
  client_encoding: 'UTF8',
  TimeZone: 'UTC',
  DateStyle: 'ISO,YMD',
  IntervalStyle: 'postgres',
  bytea_output: 'hex',
  extra_float_digits: '1',
  quote_all_identifiers: 'off',
  // how statements are read
  standard_conforming_strings: 'on',
  array_nulls: 'on',
  transform_null_equals: 'off',
  // what a transaction may do and see
  default_transaction_isolation: 'read committed',
  default_transaction_read_only: 'off',
  default_transaction_deferrable: 'off',
  row_security: 'on',
  // when a session ends or gives up without being asked
  lock_timeout: '0',
  idle_session_timeout: '0',
  exit_on_error: 'off',
  client_min_messages: 'notice',
  // compiling costs more than any of our statements takes
  jit: 'off',
  // of the passwords that are set in plain text: those of the embedded server's roles
  password_encryption: 'scram-sha-256',
} as const;

/** Unknown to the versions before, which refuse a session that names them as it opens. */
const SINCE = [
  [160_000, 'createrole_self_grant', ''],
  [170_000, 'transaction_timeout', '0'],
  [170_000, 'restrict_nonsystem_relation_kind', ''],
] as const;

/** For the startup packet: in force before the first statement, and stronger than what was set for database and role. */
export function startupOptions(options: SessionOptions): string {
  return Object.entries(settingsOf(options))
    .map(([name, value]) => `-c ${name}=${value.replace(/[\\\s]/g, '\\$&')}`)
    .join(' ');
}

/**
 * Statements for the opened session, that take no lock. They repeat the startup packet, whose options a pooler between may have
 * dropped, and add what depends on the server: its version, and a commit that is not on disk when it is acknowledged.
 * A stronger commit (`remote_apply`) is the operator's choice, and stays.
 */
export function settingStatements(options: SessionOptions): string {
  const { search_path, ...others } = settingsOf(options);
  const always = Object.entries(others).map(([name, value]) => set(name, value));
  const since = SINCE.map(
    ([version, name, value]) =>
      `CASE WHEN current_setting('server_version_num')::int >= ${String(version)} THEN ${set(name, value)} END`,
  );
  const commit = `CASE WHEN current_setting('synchronous_commit') IN ('off', 'local', 'remote_write')
    THEN ${set('synchronous_commit', 'on')} END`;
  // The path by itself and first: the operators of the second statement are looked up in it.
  return `SELECT ${set('search_path', search_path)}; SELECT ${[...always, ...since, commit].join(', ')}`;
}

function settingsOf(options: SessionOptions): Record<string, string> & { readonly search_path: string } {
  return {
    search_path: options.searchPath,
    statement_timeout: String(options.statementTimeoutMillis),
    idle_in_transaction_session_timeout: String(options.idleInTransactionMillis),
    ...(options.role === undefined ? {} : { role: options.role }),
    ...ALWAYS,
  };
}

function set(name: string, value: string): string {
  return `pg_catalog.set_config('${name}', ${escapeLiteral(value)}, false)`;
}
