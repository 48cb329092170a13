import type { Socket } from 'node:net';
import { type Client, escapeLiteral } from 'pg';

/** The settings that differ between kinds of sessions. */
export interface SessionOptions {
  /** the name in `pg_stat_activity` */
  readonly applicationName: string;
  /** the schemas for unqualified names, as `SET search_path` takes them */
  readonly searchPath: string;
  /** the server cancels a statement that takes longer; 0 is no limit */
  readonly statementTimeoutMillis: number;
  /** the server ends a session that leaves a transaction open for longer; 0 is no limit */
  readonly idleInTransactionMillis: number;
  /** called with each session after its settings, before anyone uses it; a rejection ends the session */
  readonly onOpen?: (client: Client) => Promise<void>;
  /** the role that the session assumes; without it, the login's own role or the role configured for it */
  readonly role?: string;
  /** makes the socket of each connection, where addresses are checked; without it, node-postgres makes it */
  readonly openSocket?: () => Socket;
  /**
   * the certificate of the authority that signed the server's, as PEM; without it, the authorities that Node.js trusts
   */
  readonly authority?: string;
}

/**
 * The search path of our statements, at targets and at the store. With any other schema, a role that may create objects
 * there could replace a function or operator of the server, and Mayfly would run it with its own rights. The order of
 * schemas does not help: a function with the exact argument `text[]` wins over the server's function for any array.
 */
export const CATALOG_ONLY = 'pg_catalog,pg_temp';

/**
 * The search path of migrations, which create Mayfly's tables in `public`. No other role may have created objects
 * there.
 */
export const STORE_SCHEMA = 'public,pg_temp';

/** Settings of every session, valid on every version from 14 on. */
const ALWAYS = {
  // the format of values: Prisma's adapter drops the offset of an instant, and sends instants without one
  client_encoding: 'UTF8',
  TimeZone: 'UTC',
  DateStyle: 'ISO,YMD',
  IntervalStyle: 'postgres',
  bytea_output: 'hex',
  extra_float_digits: '1',
  quote_all_identifiers: 'off',
  // the parsing of statements
  standard_conforming_strings: 'on',
  array_nulls: 'on',
  transform_null_equals: 'off',
  // the rights and isolation of a transaction
  default_transaction_isolation: 'read committed',
  default_transaction_read_only: 'off',
  default_transaction_deferrable: 'off',
  row_security: 'on',
  // the limits after which a session ends or fails
  lock_timeout: '0',
  idle_session_timeout: '0',
  exit_on_error: 'off',
  client_min_messages: 'notice',
  // JIT compilation takes longer than any of our statements
  jit: 'off',
  // for passwords set in plain text: those of the embedded server's roles
  password_encryption: 'scram-sha-256',
} as const;

/** Settings by the version that added them. An older server refuses a session that names them in its startup packet. */
const SINCE = [
  [160_000, 'createrole_self_grant', ''],
  [170_000, 'transaction_timeout', '0'],
  [170_000, 'restrict_nonsystem_relation_kind', ''],
] as const;

/**
 * Returns the options of the startup packet. They apply before the first statement and override settings of the
 * database and the role.
 */
export function startupOptions(options: SessionOptions): string {
  return Object.entries(settingsOf(options))
    .map(([name, value]) => `-c ${name}=${value.replace(/[\\\s]/g, '\\$&')}`)
    .join(' ');
}

/**
 * Returns statements for an opened session; they take no lock. They repeat the options of the startup packet, which a
 * pooler may have dropped, and add settings that depend on the server's version. They raise `synchronous_commit` to
 * `on` when a commit would be acknowledged before it is on disk, and keep a stronger value (`remote_apply`).
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
  // Sets the path in the first statement, since it decides the operators of the second one.
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
