import { Problem, type FieldError } from '@mayfly/kernel';

const MAX_ERRORS = 50;

/**
 * Returns `invalid_declaration` with the first error and the number of the others in its detail, and at most 50 errors.
 */
export function invalidDeclaration(errors: readonly FieldError[]): Problem {
  const [first] = errors;
  const more = errors.length > 1 ? ` (and ${String(errors.length - 1)} more)` : '';
  return new Problem(
    'invalid_declaration',
    `${first?.detail ?? 'the declaration is wrong; correct the places in `errors`'}${more}`,
    {
      errors: errors.slice(0, MAX_ERRORS),
    },
  );
}
