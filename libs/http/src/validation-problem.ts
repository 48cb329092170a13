import { Problem, type FieldError } from '@mayfly/kernel';

/** One fault that a schema found, in the form of Standard Schema. Zod adds `code` and `keys` for unknown fields. */
export interface SchemaIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
  readonly code?: string | undefined;
  readonly keys?: readonly string[] | undefined;
}

const MAX_ERRORS = 20;
const MAX_POINTER = 200;

/**
 * Returns `invalid_request` with at most 20 errors, each with a JSON Pointer (RFC 6901) and the change to make there.
 * For Nest: `new StandardSchemaValidationPipe({ exceptionFactory: validationProblem })`.
 */
export function validationProblem(issues: readonly SchemaIssue[]): Problem {
  const errors = issues.slice(0, MAX_ERRORS).flatMap(fieldErrors).slice(0, MAX_ERRORS);
  const [first, ...others] = errors;
  if (first === undefined)
    return new Problem(
      'invalid_request',
      'the request does not have the documented shape; compare it with `/openapi.json`',
    );
  const place = first.pointer === '' ? 'the request' : `\`${first.pointer}\``;
  const more = others.length === 0 ? '' : `, and ${String(others.length)} more in \`errors\``;
  return new Problem('invalid_request', `change ${place}: ${first.detail}${more}`, { errors });
}

function fieldErrors(issue: SchemaIssue): readonly FieldError[] {
  const path = (issue.path ?? []).map((segment) => (typeof segment === 'object' ? segment.key : segment));
  if (issue.code === 'unrecognized_keys' && issue.keys !== undefined) {
    return issue.keys.map((key) => ({ pointer: pointerTo([...path, key]), detail: 'unknown field; leave it out' }));
  }
  return [{ pointer: pointerTo(path), detail: houseStyle(issue.message) }];
}

function pointerTo(path: readonly PropertyKey[]): string {
  const pointer = path.map((key) => `/${String(key).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
  return pointer.length <= MAX_POINTER ? pointer : `${pointer.slice(0, MAX_POINTER)}…`;
}

function houseStyle(message: string): string {
  const text = message.replace(/^Invalid (input|option): /, '').replace(/, received undefined$/, ', and it is missing');
  return text.charAt(0).toLowerCase() + text.slice(1).replace(/\.$/, '');
}
