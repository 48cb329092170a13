import { Problem, type FieldError } from '@mayfly/kernel';

const MAX_ERRORS = 50;

/** `invalid_declaration` that tells its first error, counts the others, and lists at most 50. */
export function invalidDeclaration(errors: readonly FieldError[]): Problem {
  const [first] = errors;
  const more = errors.length > 1 ? ` (and ${String(errors.length - 1)} more)` : '';
  return new Problem('invalid_declaration', `${first?.detail ?? 'the declaration is wrong'}${more}`, {
    errors: errors.slice(0, MAX_ERRORS),
  });
}
