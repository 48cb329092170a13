import type { DeclarationOf, Precondition, RecordKind } from '@mayfly/declarations';
import { Problem, type Json } from '@mayfly/kernel';

/** The control that prevents privilege escalation: an issuer with roles can mint any role. */
export const ISSUER_ROLES = 'issuer-roles';

/**
 * Extends a precondition: throws `policy_denied` when the stored issuer or the new one has roles. The store evaluates
 * it under the lock of the change. Leave `after` out for a deletion.
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
