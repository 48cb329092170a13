import { Problem, type FieldError } from '@mayfly/kernel';

const MAX_ERRORS = 50;

/** Returns `invalid_declaration` with the first error and the number of the others in its detail; lists at most 50. */
export function invalidDeclaration(first: FieldError, others: readonly FieldError[] = []): Problem {
  const more = others.length > 0 ? ` (and ${String(others.length)} more; correct all of them)` : '';
  return new Problem('invalid_declaration', `${first.detail}${more}`, {
    errors: [first, ...others].slice(0, MAX_ERRORS),
  });
}

/** Throws `invalid_declaration` when there is an error. */
export function refuseInvalid([first, ...others]: readonly FieldError[]): void {
  if (first !== undefined) throw invalidDeclaration(first, others);
}
