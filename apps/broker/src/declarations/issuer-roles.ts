import type { DeclarationOf } from '@mayfly/declarations';
import { Problem, type Json } from '@mayfly/kernel';
import type { Precondition, RecordKind } from '@mayfly/persistence';

/** The control that keeps one person from becoming every other: roles come from whoever runs the service. */
export const ISSUER_ROLES = 'issuer-roles';

/**
 * A precondition that also refuses, with `policy_denied`, to touch an issuer that has roles or to give it some. It is
 * judged with what is stored under the lock of the change. `after` is left out where the record is taken away.
 */
export function withoutRoles(precondition: Precondition, after?: DeclarationOf<RecordKind>): Precondition {
  return (revision, before) => {
    const specs = [before, after].flatMap((declared) => (declared?.kind === 'Issuer' ? [declared.spec as Json] : []));
    if (specs.some(hasRoles)) {
      throw new Problem('policy_denied', 'an issuer that speaks for people is not declared over the API', {
        control: ISSUER_ROLES,
        help: 'ask whoever runs the service to declare it at start: MAYFLY_BOOTSTRAP_ISSUER, or the applied files',
      });
    }
    precondition(revision, before);
  };
}

function hasRoles(spec: Json): boolean {
  return (spec as { readonly roles?: Json } | null)?.roles !== undefined;
}
