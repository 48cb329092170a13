import { Problem } from '@mayfly/kernel';
import { databaseIn } from '@mayfly/postgres';
import { parse } from 'pg-connection-string';
import type { PostgresConfig } from './postgres.schemas.js';

/** The modes that libpq knows ("SSL Support"); any other one keeps a client of it from connecting at all. */
const LIBPQ_MODES = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'];

/** Where an agent finds the database, without anybody's credentials. */
export interface DatabaseAddress {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  /** as libpq writes it */
  readonly sslmode: string | undefined;
}

/** The address in a connection's configuration. Throws `provider_rejected`, without the value, when `url` is no such URL. */
export function addressOf(config: PostgresConfig): DatabaseAddress {
  const url = parsed(config.url);
  const address = config.address ?? { host: url.host ?? '', port: Number(url.port === '' ? 5432 : (url.port ?? 5432)) };
  const database = namedDatabase(config.url);
  if (address.host === '' || database === undefined) throw unusable();
  return { ...address, database, sslmode: libpqMode(sslmodeIn(config.url)) };
}

/** The role that makes lease roles: the one that the login works as, or the login itself. Throws as `addressOf` does. */
export function makerIn(config: PostgresConfig): string {
  return config.role ?? parsed(config.url).user ?? '';
}

/**
 * The connection URL of a lease, as libpq and its kin read it. A file with the authority's certificate is not in it: the
 * agent has the certificate beside it, and chooses where to put it.
 */
export function leaseUrl(address: DatabaseAddress, username: string, password: string): string {
  const host = address.host.includes(':') ? `[${address.host}]` : encodeURIComponent(address.host);
  const authority = `${username}:${encodeURIComponent(password)}@${host}:${String(address.port)}`;
  const query = address.sslmode === undefined ? '' : `?sslmode=${encodeURIComponent(address.sslmode)}`;
  return `postgresql://${authority}/${encodeURIComponent(address.database)}${query}`;
}

/** No cause is kept: the errors of URL parsers hold the URL, and the URL holds a password. */
function parsed(url: string): ReturnType<typeof parse> {
  try {
    // the mode is read elsewhere; some modes need a certificate, which may stand beside the URL
    if (/^postgres(ql)?:\/\//.test(url)) return parse(url.replace(/([?&]sslmode=)[a-z-]*/, '$1disable'));
  } catch {
    // told below, without the value
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

/** `no-verify` is a word of node-postgres for what libpq calls `require`: encrypted, with nobody's identity checked. */
function libpqMode(sslmode: string | undefined): string | undefined {
  if (sslmode === undefined || LIBPQ_MODES.includes(sslmode)) return sslmode;
  if (sslmode === 'no-verify') return 'require';
  throw new Problem(
    'provider_rejected',
    `the \`url\` of the connection has an sslmode that is none of ${LIBPQ_MODES.join(', ')}`,
  );
}

function sslmodeIn(url: string): string | undefined {
  return /[?&]sslmode=([a-z-]+)/.exec(url)?.[1];
}

function unusable(): Problem {
  return new Problem(
    'provider_rejected',
    'the `url` of the connection is not of the form postgresql://user:password@host:port/database',
  );
}
