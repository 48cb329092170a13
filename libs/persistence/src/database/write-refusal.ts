import { Problem } from '@mayfly/kernel';

/** The cause of a failed write by SQLSTATE (PostgreSQL, appendix A): a `reason` code and a text. */
const BY_SQLSTATE: ReadonlyMap<string, readonly [reason: string, fact: string]> = new Map([
  ['25006', ['read-only', 'it is read-only, such as a standby; make it writable']],
  ['53100', ['disk-full', 'its disk is full; make room']],
  ['53200', ['lock-table-full', 'its lock table or its memory is full; raise max_locks_per_transaction']],
  ['53300', ['connections-full', 'it has no free connection; raise max_connections']],
  ['42501', ['right-missing', 'the role of DATABASE_URL lacks a right; grant it as docs/deploy.md says']],
  ['42P01', ['not-migrated', 'a table is missing; start one process with MAYFLY_MIGRATION_URL']],
  ['28P01', ['login-refused', 'it refuses the login of DATABASE_URL; correct that']],
  ['28000', ['login-refused', 'it refuses the login of DATABASE_URL; correct that']],
  ['55P03', ['locked', 'a table of the service is locked; end the transaction that locks it']],
  ['57014', ['too-slow', 'it does not write in time; check its load']],
]);

const UNREACHABLE = ['unreachable', 'it does not answer in time; check it and the network'] as const;
const REFUSED = ['write-refused', 'it refuses to write; look for the reason in its log'] as const;

/**
 * Turns an error of a write into `unavailable`. `reason` is one of our codes; the detail names the fact and the
 * SQLSTATE. The database's own text may quote values, so it goes to the log only.
 */
export function writeRefusal(error: unknown): Problem {
  const sqlState = sqlStateOf(error);
  const [reason, fact] = sqlState === undefined ? UNREACHABLE : (BY_SQLSTATE.get(sqlState) ?? REFUSED);
  const code = sqlState === undefined ? '' : ` (SQLSTATE ${sqlState})`;
  const detail = `the database accepts no writes, so Mayfly can neither grant nor end a task: ${fact}${code}`;
  return new Problem('unavailable', detail, { reason, retryAfterSeconds: 2, cause: error });
}

/** Returns the SQLSTATE that the server sent; undefined for connection errors, whose codes come from the system. */
function sqlStateOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' && /^[0-9A-Z]{5}$/.test(error.code) ? error.code : undefined;
}
