import { NameSchema } from '@mayfly/kernel';
import type { BoundClaims } from './agents/bound-claims.js';
import { identityRefused } from './identity-refusal.js';
import { issuerKey, type IssuerGroup } from './issuers/issuer-group.js';
import { isSingleUse, type IssuerProfile, type Role, type TrustedIssuer } from './issuers/issuer-spec.js';
import { claimAt } from './profiles/claim-path.js';
import type { KeptClaims } from './profiles/profile.js';
import { profileRules } from './profiles/profile-rules.js';
import type { IdentityClaims } from './token/compact-token.js';

/** The proven caller. Holds no token and nothing that could be replayed. It is frozen, so it may be shared. */
export interface VerifiedIdentity {
  /**
   * The name of the issuer's document. For a person: the first document with roles, so that a person has one name
   * whatever the token's audience. For a workload: the first document that accepts the token.
   */
  readonly issuer: string;
  /** equal for all documents of one issuer */
  readonly issuerUrl: string;
  /** names of the issuer's documents that accept the token; roles and agents come from these documents only */
  readonly acceptedBy: readonly string[];
  /** names of all documents of the issuer */
  readonly issuerNames: readonly string[];
  /** SPIFFE IDs are in canonical form */
  readonly subject: string;
  readonly profile: IssuerProfile;
  /** `person`: has a role, or every document that accepts the token has roles and no agents */
  readonly kind: 'workload' | 'person';
  /** a person's roles; always empty for a workload */
  readonly roles: readonly Role[];
  /** the names of a person's groups, which own documents; always empty for a workload */
  readonly groups: readonly string[];
  /**
   * true when the claims match a role of the issuer, even in a document that does not accept this token; such an
   * identity is no agent
   */
  readonly fitsRole: boolean;
  /** the token's `iat`, or the time of verification for a JWT-SVID without one */
  readonly issuedAt: Date;
  readonly expiresAt: Date;
  readonly jti?: string;
  /** true when `jti` must be consumed before the identity is used; `jti` is then present */
  readonly singleUse: boolean;
  readonly claims: KeptClaims;
}

/** A token after all proofs, with the data that it was checked against. */
export interface ProvenToken {
  readonly group: IssuerGroup;
  /** the documents that accept the token: at least one */
  readonly accepting: readonly TrustedIssuer[];
  readonly claims: IdentityClaims;
  readonly boundClaims: BoundClaims;
  readonly times: Pick<VerifiedIdentity, 'issuedAt' | 'expiresAt'>;
}

/** Turns proven claims into an identity by the rules of the issuer's profile. Throws `unauthenticated`. */
export function toVerifiedIdentity(proven: ProvenToken): VerifiedIdentity {
  const { group, accepting, claims, boundClaims, times } = proven;
  const { spec } = group.lead;
  const issuerNames = namesOf(group.documents);
  const boundNames = new Set(issuerNames.flatMap((name) => [...(boundClaims.get(name) ?? [])]));
  const { subject, kept } = profileRules[spec.profile].accept(claims, spec, boundNames);
  const singleUse = isSingleUse(spec);
  if (singleUse && claims.jti === undefined) throw identityRefused('missing_claim', '`jti`');
  const roles = rolesOf(accepting, claims);
  const kind = roles.length > 0 || !mayHoldAgents(accepting, boundClaims) ? 'person' : 'workload';
  return Object.freeze({
    issuer: nameFor(kind, proven),
    issuerUrl: issuerKey(spec),
    acceptedBy: Object.freeze(namesOf(accepting)),
    issuerNames: Object.freeze(issuerNames),
    subject,
    profile: spec.profile,
    kind,
    roles: Object.freeze(roles),
    groups: Object.freeze(kind === 'person' ? groupsOf(accepting, claims) : []),
    fitsRole: rolesOf(group.documents, claims).length > 0,
    ...times,
    ...(claims.jti === undefined ? {} : { jti: claims.jti }),
    singleUse,
    claims: Object.freeze(kept),
  });
}

/**
 * Returns the name of the document that names the identity. For a person it is the lead of the group, which has roles
 * when any document has: only the operator declares such documents, so nobody else can change a person's name.
 */
function nameFor(kind: VerifiedIdentity['kind'], { group, accepting }: ProvenToken): string {
  const workloads = accepting.find(({ spec }) => spec.roles === undefined) ?? accepting[0];
  return kind === 'person' || workloads === undefined ? group.lead.name : workloads.name;
}

function namesOf(documents: readonly TrustedIssuer[]): string[] {
  return documents.map(({ name }) => name);
}

/** True when one of the documents may have workloads: it has no roles, or it has agents besides its roles. */
function mayHoldAgents(documents: readonly TrustedIssuer[], boundClaims: BoundClaims): boolean {
  return documents.some(({ name, spec }) => spec.roles === undefined || boundClaims.has(name));
}

/** Returns the roles that the documents give. An administrator is a platform person too. */
function rolesOf(documents: readonly TrustedIssuer[], claims: IdentityClaims): Role[] {
  const given = documents.flatMap(({ spec }) => fittingRoles(spec.roles ?? {}, claims));
  return [...new Set(given.includes('administrator') ? [...given, 'platform' as const] : given)];
}

/**
 * Returns the groups that the documents with roles name: the values of their `groups` claim, or of the claims that give
 * roles. A value that cannot be the name of an owner is left out, since it equals none.
 */
function groupsOf(documents: readonly TrustedIssuer[], claims: IdentityClaims): string[] {
  const paths = documents.flatMap(({ spec: { roles, groups } }) => {
    if (roles === undefined) return [];
    return groups === undefined ? Object.values(roles).map(({ claim }) => claim) : [groups.claim];
  });
  const held = [...new Set(paths)].flatMap((path) => [claimAt(claims, path)].flat());
  return [...new Set(held.filter((value): value is string => NameSchema.safeParse(value).success))];
}

function fittingRoles(roles: NonNullable<TrustedIssuer['spec']['roles']>, claims: IdentityClaims): Role[] {
  return (Object.keys(roles) as Role[]).filter((role) => {
    const rule = roles[role];
    if (rule === undefined) return false;
    const held = [claimAt(claims, rule.claim)].flat();
    return rule.values.some((value) => held.includes(value));
  });
}
