import { fitsEveryLogin, issuerKey, type AgentSpec, type IssuerSpec } from '@mayfly/identity';
import type { FieldError } from '@mayfly/kernel';

/**
 * Returns warnings about identities that people may match too, given the issuers by name. Pointers are relative to the
 * spec.
 */
export function warnOfClaimsAlone(spec: AgentSpec, issuers: ReadonlyMap<string, IssuerSpec>): FieldError[] {
  const ofPeople = new Set(
    [...issuers.values()].filter(({ roles }) => roles !== undefined).map((issuer) => issuerKey(issuer)),
  );
  return spec.identities.flatMap(({ issuer, subject, claims = {} }, at) => {
    const declared = issuers.get(issuer);
    if (subject !== undefined || declared === undefined) return [];
    if (!ofPeople.has(issuerKey(declared)) || !fitsEveryLogin(Object.keys(claims), declared)) return [];
    const detail =
      'people who log in through this client may have these claims too; add `subject`, or a claim that only its own tokens have';
    return [{ pointer: `/identities/${String(at)}/claims`, detail }];
  });
}
