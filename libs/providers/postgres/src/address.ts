import { Problem } from '@mayfly/kernel';
import { databaseIn } from '@mayfly/postgres';
import { parse } from 'pg-connection-string';
import type { PostgresConfig } from './postgres.schemas.js';

/** The `sslmode` values of libpq ("SSL Support"). A libpq client refuses to connect with any other value. */
const LIBPQ_MODES = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'];

/** The address of the database as agents use it, without credentials. */
export interface DatabaseAddress {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  /** in libpq's spelling */
  readonly sslmode: string | undefined;
}

/**
 * Returns the address in a connection's configuration. Throws `provider_rejected`, without the value, when `url` is
 * malformed or has an unknown sslmode.
 */
export function addressOf(config: PostgresConfig): DatabaseAddress {
  const url = parsed(config.url);
  const address = config.address ?? { host: url.host ?? '', port: Number(url.port === '' ? 5432 : (url.port ?? 5432)) };
  const database = namedDatabase(config.url);
  if (address.host === '' || database === undefined) throw unusable();
  return { ...address, database, sslmode: libpqMode(sslmodeIn(config.url)) };
}

/**
 * Returns the role that creates lease roles: the configured `role`, or the login itself. Throws `provider_rejected`
 * when `url` is malformed.
 */
export function makerIn(config: PostgresConfig): string {
  return config.role ?? parsed(config.url).user ?? '';
}

/**
 * Returns the connection URL of a lease in libpq's form. The URL has no `sslrootcert`: the agent gets the CA
 * certificate as a separate value and chooses where to store it.
 */
export function leaseUrl(address: DatabaseAddress, username: string, password: string): string {
  const host = address.host.includes(':') ? `[${address.host}]` : encodeURIComponent(address.host);
  const authority = `${username}:${encodeURIComponent(password)}@${host}:${String(address.port)}`;
  const query = address.sslmode === undefined ? '' : `?sslmode=${encodeURIComponent(address.sslmode)}`;
  return `postgresql://${authority}/${encodeURIComponent(address.database)}${query}`;
}

/** Drops the cause: the errors of URL parsers contain the URL, and the URL contains a password. */
function parsed(url: string): ReturnType<typeof parse> {
  try {
    // `sslmodeIn` reads the mode; for some modes the parser would need the certificate, which may be in `sslRootCert`
    if (/^postgres(ql)?:\/\//.test(url)) return parse(url.replace(/([?&]sslmode=)[a-z-]*/, '$1disable'));
  } catch {
    // the throw below reports the fault without the value
  }
  throw unusable();
}

function namedDatabase(url: string): string | undefined {
  try {
    return databaseIn(url);
  } catch {
    throw unusable();
  }
}

/**
 * Translates `no-verify`, node-postgres's name for libpq's `require`: encrypted, without verification of the server.
 */
function libpqMode(sslmode: string | undefined): string | undefined {
  if (sslmode === undefined || LIBPQ_MODES.includes(sslmode)) return sslmode;
  if (sslmode === 'no-verify') return 'require';
  throw new Problem(
    'provider_rejected',
    `the \`url\` of the connection has an unknown sslmode; use one of ${LIBPQ_MODES.join(', ')}`,
  );
}

function sslmodeIn(url: string): string | undefined {
  return /[?&]sslmode=([a-z-]+)/.exec(url)?.[1];
}

function unusable(): Problem {
  return new Problem(
    'provider_rejected',
    'the `url` of the connection does not have the form postgresql://user:password@host:port/database; correct it',
  );
}
