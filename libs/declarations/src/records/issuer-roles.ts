import { Problem, type Json } from '@mayfly/kernel';
import type { DeclarationKind } from '../document.schema.js';

/**
 * The control `issuer-roles` prevents privilege escalation: an issuer with roles can mint any role. Throws
 * `policy_denied` when one of the documents, stored or new, is such an issuer.
 */
export function refuseRoles(...documents: readonly (Documented | undefined)[]): void {
  const specs = documents.flatMap((document) => (document?.kind === 'Issuer' ? [document.spec as Json] : []));
  if (!specs.some(hasRoles)) return;
  throw new Problem('policy_denied', 'issuers with `roles` cannot be changed over the API', {
    control: 'issuer-roles',
    help: 'ask the operator of the service to declare it in the file of MAYFLY_BOOTSTRAP_ISSUER',
  });
}

interface Documented {
  readonly kind: DeclarationKind;
  readonly spec: unknown;
}

function hasRoles(spec: Json): boolean {
  return (spec as { readonly roles?: Json } | null)?.roles !== undefined;
}
