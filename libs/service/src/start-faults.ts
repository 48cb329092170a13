import { opendir } from 'node:fs/promises';
import { Problem, systemCodeOf } from '@mayfly/kernel';
import { redactText } from './redaction.js';

/** Causes of a failed PostgreSQL connection, by SQLSTATE (PostgreSQL appendix A) or system error code. */
const DATABASE_FAULTS: ReadonlyMap<string, string> = new Map([
  ['28P01', 'the server refuses its user or its password; correct them'],
  ['28000', 'the server refuses its user; correct it, or add a rule to pg_hba.conf'],
  ['3D000', 'the server has no database of that name; create it or correct the name'],
  ['42501', 'its user lacks a right; grant it as docs/deploy.md says'],
  ['53300', 'the server has no free connection; raise max_connections'],
  ['57P03', 'the server is starting or stopping; try again'],
  ['ECONNREFUSED', 'no server listens at its host and port; start it or correct them'],
  ['ENOTFOUND', 'its host name is not known; correct it'],
  ['EAI_AGAIN', 'its host name cannot be looked up now; check the DNS'],
  ['EHOSTUNREACH', 'its host cannot be reached; check the network'],
  ['ENETUNREACH', 'its host cannot be reached; check the network'],
  ['ETIMEDOUT', 'its host does not answer; check the network'],
  ['ECONNRESET', 'its host ended the connection; look at the log of the server'],
  ['ENOENT', 'a file that it names (certificate, key or socket) is missing; correct the path'],
  ['EACCES', 'a file that it names (certificate, key or socket) is not readable; change its mode'],
  [
    'SELF_SIGNED_CERT_IN_CHAIN',
    'the certificate of the server is not trusted; name its authority in NODE_EXTRA_CA_CERTS',
  ],
  [
    'DEPTH_ZERO_SELF_SIGNED_CERT',
    'the certificate of the server is not trusted; name its authority in NODE_EXTRA_CA_CERTS',
  ],
  [
    'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    'the certificate of the server is not trusted; name its authority in NODE_EXTRA_CA_CERTS',
  ],
]);

/** Causes of a failed creation of the data directory, by system error code. */
const DATA_DIRECTORY_FAULTS: ReadonlyMap<string, string> = new Map([
  ['EEXIST', 'it names a file; name a directory'],
  ['ENOTDIR', 'it names a file; name a directory'],
  ['EROFS', 'its file system is read-only; name a writable directory'],
  ['ENOSPC', 'its disk is full; make room or name another directory'],
]);

/** Causes of a failed listen, by system error code, with the variable that fixes each. */
const LISTEN_FAULTS: ReadonlyMap<string, readonly [variable: string, fact: string]> = new Map([
  ['EADDRINUSE', ['PORT', 'another process listens there already; choose another port']],
  ['EACCES', ['PORT', 'this user may not listen there; choose a port above 1023']],
  ['EADDRNOTAVAIL', ['HOST', 'this machine does not have that address; use one that it has']],
  ['ENOTFOUND', ['HOST', 'that name is not known; use an address of this machine']],
]);

/** Runs the first use of a database. Turns every error but a `Problem` into `unavailable` that names `variable`. */
export async function namingDatabase<T>(variable: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof Problem) throw cause;
    throw new Problem('unavailable', `${variable}: ${databaseFault(cause)}`, { cause });
  }
}

function databaseFault(cause: unknown): string {
  const code = codeOf(cause);
  if (code !== '')
    return `${DATABASE_FAULTS.get(code) ?? 'the database cannot be used; look for the reason in its log'} (${code})`;
  if (isTimeout(cause)) return 'its host does not answer; check the network';
  return `the database cannot be used (${redactText(cause instanceof Error ? cause.message : String(cause))}); correct that`;
}

/**
 * Runs the first use of the sealing keys. Throws `conflict` when none of them sealed the signing keys in the database.
 */
export async function namingSealingKey<T>(open: () => Promise<T>): Promise<T> {
  try {
    return await open();
  } catch (cause) {
    if (!(cause instanceof Problem) || cause.code !== 'internal') throw cause;
    const detail =
      'MAYFLY_SEALING_KEY: another key sealed the signing keys in this database; set that key, or add it to MAYFLY_SEALING_KEY_PREVIOUS';
    throw new Problem('conflict', detail, { cause });
  }
}

/** Runs the first use of the data directory. Turns a known system error into `unavailable` that names the variable. */
export async function namingDataDirectory<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    const fact = DATA_DIRECTORY_FAULTS.get(codeOf(cause));
    if (fact === undefined) throw cause;
    throw new Problem('unavailable', `MAYFLY_DATA_DIR: ${fact} (${codeOf(cause)})`, { cause });
  }
}

/** Throws `invalid_declaration` when `path`, the value of `variable`, is not a readable directory. */
export async function requireDirectory(variable: string, path: string, wanted: string): Promise<void> {
  try {
    await (await opendir(path)).close();
  } catch (cause) {
    throw unreadableDirectory(variable, wanted, cause);
  }
}

/** Builds the `invalid_declaration` for an unreadable directory; `wanted` says what the variable must name. */
export function unreadableDirectory(variable: string, wanted: string, cause: unknown): Problem {
  const detail = `${variable} names no readable directory${codeIn(cause)}; name ${wanted}`;
  return new Problem('invalid_declaration', detail, { cause });
}

/** Builds the `invalid_declaration` for an unreadable file that `variable` leads to. */
export function unreadableFile(variable: string, file: string, cause: unknown): Problem {
  const detail = `${variable}: ${file} cannot be read${codeIn(cause)}; name a file that exists and that this user may read`;
  return new Problem('invalid_declaration', detail, { cause });
}

function codeIn(cause: unknown): string {
  return codeOf(cause) === '' ? '' : ` (${codeOf(cause)})`;
}

/** Runs the listen. Turns a known system error into `unavailable` that names `HOST` or `PORT`. */
export async function namingAddress<T>(listen: () => Promise<T>): Promise<T> {
  try {
    return await listen();
  } catch (cause) {
    const known = LISTEN_FAULTS.get(codeOf(cause));
    if (known === undefined) throw cause;
    const [variable, fact] = known;
    throw new Problem('unavailable', `${variable}: ${fact} (${codeOf(cause)})`, { cause });
  }
}

/** Returns the code of an error; for an `AggregateError` without one, the code of its first error; '' without one. */
function codeOf(error: unknown): string {
  const code = systemCodeOf(error);
  if (code === undefined && error instanceof AggregateError) return codeOf((error.errors as unknown[])[0]);
  return code ?? '';
}

function isTimeout(error: unknown): boolean {
  return error instanceof Error && /timeout/i.test(error.message);
}
