import { identityRefused } from './identity-refusal.js';
import { isSingleUse, type IssuerProfile, type Role, type TrustedIssuer } from './issuers/issuer-spec.js';
import type { KeptClaims } from './profiles/profile.js';
import { profileRules } from './profiles/profile-rules.js';
import type { TokenClaims } from './token/compact-token.js';

/** Who was proven to call. It holds no token and nothing that could be replayed; it is frozen and may be shared. */
export interface VerifiedIdentity {
  /** the name of the issuer's record */
  readonly issuer: string;
  readonly issuerUrl: string;
  /** SPIFFE IDs in canonical form */
  readonly subject: string;
  readonly profile: IssuerProfile;
  readonly kind: 'workload' | 'person';
  /** what a person may be; always empty for a workload */
  readonly roles: readonly Role[];
  /** the `iat` of the token; the time of verification for a JWT-SVID without one */
  readonly issuedAt: Date;
  readonly expiresAt: Date;
  readonly jti?: string;
  /** whoever acts on the identity must consume `jti` first; it is always there when this is true */
  readonly singleUse: boolean;
  readonly claims: KeptClaims;
}

/** Turns proven claims into an identity by the rules of the issuer's profile. Throws `unauthenticated`. */
export function toVerifiedIdentity(
  { name, spec }: TrustedIssuer,
  claims: TokenClaims,
  times: Pick<VerifiedIdentity, 'issuedAt' | 'expiresAt'>,
): VerifiedIdentity {
  const { subject, kept } = profileRules[spec.profile].accept(claims, spec);
  const singleUse = isSingleUse(spec);
  if (singleUse && claims.jti === undefined) throw identityRefused('missing_claim');
  return Object.freeze({
    issuer: name,
    issuerUrl: spec.issuer,
    subject,
    profile: spec.profile,
    kind: spec.roles === undefined ? 'workload' : 'person',
    roles: Object.freeze(rolesOf(spec.roles ?? {}, claims)),
    ...times,
    ...(claims.jti === undefined ? {} : { jti: claims.jti }),
    singleUse,
    claims: Object.freeze(kept),
  });
}

function rolesOf(roles: NonNullable<TrustedIssuer['spec']['roles']>, claims: TokenClaims): Role[] {
  return (Object.keys(roles) as Role[]).filter((role) => {
    const rule = roles[role];
    if (rule === undefined || !Object.hasOwn(claims, rule.claim)) return false;
    const held = [claims[rule.claim]].flat();
    return rule.values.some((value) => held.includes(value));
  });
}
