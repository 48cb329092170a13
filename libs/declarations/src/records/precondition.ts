import { Problem } from '@mayfly/kernel';

/** A condition on the stored document before a change. It is judged under the lock of the change. */
export type Precondition =
  | { readonly must: 'be-new'; readonly otherwise: 'conflict' | 'precondition_failed' }
  | { readonly must: 'match'; readonly revisions: 'any' | readonly number[] };

/** The precondition of a creation: the name must be free. */
export const MUST_BE_NEW: Precondition = { must: 'be-new', otherwise: 'conflict' };

const TAKEN = {
  conflict: 'this name is taken; change it with PUT',
  precondition_failed:
    'this name is taken; to replace it, send `If-Match` with its `ETag` in place of `If-None-Match`; or use another name',
};

/**
 * Judges the current revision, which is undefined when the document does not exist. Throws `precondition_failed`, and
 * `conflict` for a creation.
 */
export function requireMet(precondition: Precondition, revision: number | undefined): void {
  if (precondition.must === 'be-new') {
    const { otherwise } = precondition;
    if (revision !== undefined) throw new Problem(otherwise, TAKEN[otherwise]);
    return;
  }
  const { revisions } = precondition;
  if (revision !== undefined && (revisions === 'any' || revisions.includes(revision))) return;
  throw new Problem(
    'precondition_failed',
    'the version that `If-Match` names is not the current one; read it again and repeat the change',
  );
}
