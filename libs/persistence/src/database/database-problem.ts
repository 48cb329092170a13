import { Problem } from '@mayfly/kernel';

/**
 * INVARIANT: I7, a database that cannot be read or written means no issuance. Rethrows `Problem`s; everything else that
 * the database or its driver throws becomes `unavailable`, with the text kept for the log only.
 */
export function databaseProblem(error: unknown): never {
  if (error instanceof Problem) throw error;
  throw new Problem('unavailable', 'the database did not take the change; try again', {
    retryAfterSeconds: 2,
    cause: error,
  });
}

/** The same for reading. INVARIANT: I7, what cannot be read is not taken for granted. */
export function databaseUnread(error: unknown): never {
  throw new Problem('unavailable', 'the database does not answer; ask again later', {
    retryAfterSeconds: 2,
    cause: error,
  });
}

/** SQLSTATE classes 22 (data exception) and 23 (constraint violation): nothing was committed, and the data are why. */
export function isRefusedData(error: unknown): boolean {
  return error instanceof Error && 'code' in error && /^2[23]/.test(String(error.code));
}
