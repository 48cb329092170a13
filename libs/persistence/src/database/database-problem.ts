import { Problem } from '@mayfly/kernel';

/**
 * INVARIANT: I7, a database that cannot be read or written means no issuance. Rethrows a `Problem`. Turns every other
 * error of the database or its driver into `unavailable`; its text goes to the log only.
 */
export function databaseProblem(error: unknown): never {
  if (error instanceof Problem) throw error;
  throw new Problem('unavailable', 'the database did not commit the change; try again', {
    retryAfterSeconds: 2,
    cause: error,
  });
}

/**
 * Rethrows a `Problem`; throws `unavailable` for any other error of a read. INVARIANT: I7, nothing is granted without
 * the read.
 */
export function databaseUnread(error: unknown): never {
  if (error instanceof Problem) throw error;
  throw new Problem('unavailable', 'the database does not answer; try again later', {
    retryAfterSeconds: 2,
    cause: error,
  });
}

/**
 * True for SQLSTATE classes 22 (data exception) and 23 (constraint violation): the data caused the error, and nothing
 * was committed.
 */
export function isRefusedData(error: unknown): boolean {
  return error instanceof Error && 'code' in error && /^2[23]/.test(String(error.code));
}
