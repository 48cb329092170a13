import { Problem } from '@mayfly/kernel';

/** SQLSTATEs that our own statements raise. */
export const TOO_LATE = 'MF001';
export const NOT_ALIVE = 'MF002';
export const CLOCK_BEHIND = 'MF003';

/** SQLSTATEs of PostgreSQL that decide what happens next (its Appendix A). */
export const UNDEFINED_OBJECT = '42704';
/** a name is taken: the second one when whoever took it committed while the statement waited */
export const NAME_TAKEN: readonly string[] = ['42710', '23505'];
export const DEPENDENT_OBJECTS = '2BP01';
export const INSUFFICIENT_PRIVILEGE = '42501';
/** somebody else holds or has just changed what the statement needs: lock_timeout, `tuple concurrently updated`, deadlock */
export const IN_THE_WAY: readonly string[] = ['55P03', 'XX000', '40P01'];

/** Classes of errors by which the server says that the whole message was rolled back, or that nobody was let in. */
const NOTHING_DONE = /^(0A|0L|22|23|28|3D|42|MF)/;

const DETAILS: Readonly<Record<string, string>> = {
  [TOO_LATE]: 'the request reached the database too late, and nothing was made; try again',
  [NOT_ALIVE]: 'the credential has ended and cannot be renewed; ask for a new task',
  [CLOCK_BEHIND]: 'the clocks of the database and of Mayfly differ by more than 2 s; set the one that is wrong',
  [UNDEFINED_OBJECT]: 'the database does not have the role any more; ask for a new task',
  '28P01': 'the database refused the login of the connection; change its `url`',
  '28000': 'the database refused the login of the connection; change its `url`',
  '3D000': 'the database of the connection does not exist; change its `url`',
  [INSUFFICIENT_PRIVILEGE]:
    'the role of the connection lacks a right at the database; docs/connect-postgres.md lists what it needs',
};

/** The SQLSTATE or system code of an error: a few letters and digits that cannot hold a secret. */
export function codeOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' && /^\w{1,32}$/.test(code) ? code : 'unexpected';
}

/**
 * What a failed statement means to the caller of the provider. `provider_rejected` only where the server's answer
 * proves that nothing was made. The cause is left out on purpose: errors of the server may quote the statement.
 */
export function problemOf(error: unknown): Problem {
  if (error instanceof Problem) return error;
  const code = codeOf(error);
  // a role of this name exists already: this call made nothing, but an earlier one under the same handle did
  if (!NAME_TAKEN.includes(code) && NOTHING_DONE.test(code)) {
    return new Problem('provider_rejected', DETAILS[code] ?? `the database refused (SQLSTATE ${code})`);
  }
  return new Problem('provider_unavailable', `the database did not confirm what it was asked for (${code})`);
}
