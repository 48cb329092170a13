import { opendir } from 'node:fs/promises';
import { Problem } from '@mayfly/kernel';
import { redactText } from './redaction.js';

/** What a connection to PostgreSQL failed at, by SQLSTATE (appendix A) or by the system's code. */
const DATABASE_FAULTS: ReadonlyMap<string, string> = new Map([
  ['28P01', 'the server refuses its user or its password'],
  ['28000', 'the server refuses its user'],
  ['3D000', 'the server has no database of that name'],
  ['42501', 'its user lacks a right (docs/deploy.md has the statements)'],
  ['53300', 'the server has no free connection'],
  ['57P03', 'the server is starting or stopping, try again'],
  ['ECONNREFUSED', 'nobody listens at its host and port'],
  ['ENOTFOUND', 'its host name is not known'],
  ['EAI_AGAIN', 'its host name cannot be looked up now'],
  ['EHOSTUNREACH', 'its host cannot be reached'],
  ['ENETUNREACH', 'its host cannot be reached'],
  ['ETIMEDOUT', 'its host does not answer'],
  ['ECONNRESET', 'its host ended the connection'],
  ['ENOENT', 'a file that it names, a certificate, a key or a socket, is not there'],
  ['EACCES', 'a file that it names, a certificate, a key or a socket, may not be read'],
  ['SELF_SIGNED_CERT_IN_CHAIN', 'the certificate of the server is not trusted (NODE_EXTRA_CA_CERTS)'],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', 'the certificate of the server is not trusted (NODE_EXTRA_CA_CERTS)'],
  ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', 'the certificate of the server is not trusted (NODE_EXTRA_CA_CERTS)'],
]);

/** What making the data directory failed at, by the system's code. */
const DATA_DIRECTORY_FAULTS: ReadonlyMap<string, string> = new Map([
  ['EEXIST', 'a file is where the directory should be; name a directory, or one that can be made'],
  ['ENOTDIR', 'a file is where the directory should be; name a directory, or one that can be made'],
  ['EROFS', 'its file system is read-only; name a directory that can be written'],
  ['ENOSPC', 'its disk is full; make room or name another directory'],
]);

/** What listening failed at, by the system's code, with the variable that would change it. */
const LISTEN_FAULTS: ReadonlyMap<string, readonly [variable: string, fact: string]> = new Map([
  ['EADDRINUSE', ['PORT', 'another process listens there already; choose another port']],
  ['EACCES', ['PORT', 'this user may not listen there; choose a port above 1023']],
  ['EADDRNOTAVAIL', ['HOST', 'this machine does not have that address']],
  ['ENOTFOUND', ['HOST', 'that name is not known']],
]);

/** Rethrows `Problem`s; every other failure of `work`, which first uses the database of a variable, becomes one that names it. */
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
  if (code !== '') return `${DATABASE_FAULTS.get(code) ?? 'the database cannot be used'} (${code})`;
  if (isTimeout(cause)) return 'its host does not answer';
  return `the database cannot be used (${redactText(cause instanceof Error ? cause.message : String(cause))})`;
}

/** The same for the first use of the sealing key: what is in the database was sealed with it, or with another one. */
export async function namingSealingKey<T>(open: () => Promise<T>): Promise<T> {
  try {
    return await open();
  } catch (cause) {
    if (!(cause instanceof Problem) || cause.code !== 'internal') throw cause;
    const detail =
      'MAYFLY_SEALING_KEY: the signing keys in this database were sealed with another key; start with that one';
    throw new Problem('conflict', detail, { cause });
  }
}

/** The same for the first use of the data directory. */
export async function namingDataDirectory<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    const fact = DATA_DIRECTORY_FAULTS.get(codeOf(cause));
    if (fact === undefined) throw cause;
    throw new Problem('unavailable', `MAYFLY_DATA_DIR: ${fact} (${codeOf(cause)})`, { cause });
  }
}

/** Throws `invalid_declaration` where the directory of a variable is none, or is closed to this process. */
export async function requireDirectory(variable: string, path: string, wanted: string): Promise<void> {
  try {
    await (await opendir(path)).close();
  } catch (cause) {
    throw unreadableDirectory(variable, wanted, cause);
  }
}

/** The `invalid_declaration` for a variable whose directory cannot be read; `wanted` is what to name instead. */
export function unreadableDirectory(variable: string, wanted: string, cause: unknown): Problem {
  const detail = `${variable} names no directory that can be read${codeIn(cause)}; name ${wanted}`;
  return new Problem('invalid_declaration', detail, { cause });
}

/** The same for a file that a variable leads to. */
export function unreadableFile(variable: string, file: string, cause: unknown): Problem {
  const detail = `${variable}: ${file} cannot be read${codeIn(cause)}; name a file that is there and that this user may read`;
  return new Problem('invalid_declaration', detail, { cause });
}

function codeIn(cause: unknown): string {
  return codeOf(cause) === '' ? '' : ` (${codeOf(cause)})`;
}

/** The same for listening at `HOST` and `PORT`. */
export async function namingAddress<T>(listen: () => Promise<T>): Promise<T> {
  try {
    return await listen();
  } catch (cause) {
    const [variable, fact] = LISTEN_FAULTS.get(codeOf(cause)) ?? [undefined, ''];
    if (variable === undefined) throw cause;
    throw new Problem('unavailable', `${variable}: ${fact} (${codeOf(cause)})`, { cause });
  }
}

/** The code of an error, or of the first one of several addresses that were tried. */
function codeOf(error: unknown): string {
  if (error instanceof AggregateError && !hasCode(error)) return codeOf((error.errors as unknown[])[0]);
  return hasCode(error) ? error.code : '';
}

function hasCode(error: unknown): error is { readonly code: string } {
  return typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string';
}

function isTimeout(error: unknown): boolean {
  return error instanceof Error && /timeout/i.test(error.message);
}
