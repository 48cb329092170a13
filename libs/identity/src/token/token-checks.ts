import type { KeyObject } from 'node:crypto';
import { errors, jwtVerify } from 'jose';
import { identityRefused, type IdentityRefusalReason } from '../identity-refusal.js';
import type { IssuerGroup } from '../issuers/issuer-group.js';
import {
  allowsOtherAudiences,
  IdentityAlgorithmSchema,
  type IdentityAlgorithm,
  type IssuerSpec,
  type TrustedIssuer,
} from '../issuers/issuer-spec.js';
import { profileRules } from '../profiles/profile-rules.js';
import type { TokenClaims, TokenHeader } from './compact-token.js';

const USED_HEADERS = ['alg', 'kid', 'typ'];

/**
 * Checks a header before any key is looked for: only members that we use (no `jku`, `x5u`, `x5c`, `jwk`, `crit`, `b64`;
 * RFC 8725 §3.10), a `typ` that some document of this issuer takes, an algorithm of this issuer. Throws `unauthenticated`.
 */
export function checkHeader(header: TokenHeader, { lead: { spec }, documents }: IssuerGroup): IdentityAlgorithm {
  const { ignoredHeaders } = profileRules[spec.profile];
  if (Object.keys(header).some((name) => !USED_HEADERS.includes(name) && !ignoredHeaders.includes(name))) {
    throw identityRefused('header_not_allowed');
  }
  if (!documents.some((document) => acceptsType(document.spec, header))) throw identityRefused('header_not_allowed');
  const algorithm = IdentityAlgorithmSchema.safeParse(header.alg).data;
  if (algorithm === undefined || !spec.algorithms.includes(algorithm)) throw identityRefused('algorithm');
  return algorithm;
}

/** A token without `typ` is a plain JWT: where only access tokens are taken it is refused (RFC 8725 §3.11). */
function acceptsType({ profile, tokenTypes }: IssuerSpec, { typ }: TokenHeader): boolean {
  const type = typ?.toLowerCase().replace(/^application\//, '') ?? 'jwt';
  return (tokenTypes ?? profileRules[profile].types).some((accepted) => accepted === type);
}

/** Proves signature, issuer, audience and times (RFC 7519 §7.2) at `now`. Throws `unauthenticated` with the reason. */
export async function proveToken(
  token: string,
  key: KeyObject,
  { lead: { spec }, documents }: IssuerGroup,
  now: Date,
): Promise<void> {
  try {
    await jwtVerify(token, key, {
      algorithms: spec.algorithms,
      audience: documents.flatMap((document) => document.spec.audiences),
      requiredClaims: [...profileRules[spec.profile].requiredClaims],
      clockTolerance: spec.clockToleranceSeconds,
      currentDate: now,
      ...(spec.profile === 'spiffe-jwt' ? {} : { issuer: spec.issuer }),
    });
  } catch (error) {
    const reason = reasonOf(error);
    if (reason === undefined) throw error;
    throw identityRefused(reason);
  }
}

/**
 * The documents under which a proven token counts: its type and one of its audiences are theirs, and it names others
 * beside us only where that is allowed. Throws `unauthenticated` (`audience`) when there is none.
 */
export function acceptingDocuments(
  header: TokenHeader,
  { aud = [] }: TokenClaims,
  group: IssuerGroup,
): TrustedIssuer[] {
  const audiences = [aud].flat();
  const accepting = group.documents.filter(
    ({ spec }) =>
      acceptsType(spec, header) &&
      audiences.some((audience) => spec.audiences.includes(audience)) &&
      (audiences.length === 1 || allowsOtherAudiences(spec)),
  );
  if (accepting.length === 0) throw identityRefused('audience');
  return accepting;
}

/** Proven times: a token from the future and one that lives longer than this issuer may grant are refused. */
export function checkLifetime(
  { exp, iat }: TokenClaims,
  spec: IssuerSpec,
  now: Date,
): { issuedAt: Date; expiresAt: Date } {
  const nowSeconds = Math.floor(now.getTime() / 1000);
  const issued = iat ?? nowSeconds;
  if (exp === undefined) throw identityRefused('missing_claim');
  if (issued > nowSeconds + spec.clockToleranceSeconds) throw identityRefused('not_yet_valid');
  if (exp <= issued - spec.clockToleranceSeconds || exp - issued > spec.maxLifetimeSeconds) {
    throw identityRefused('lifetime');
  }
  return { issuedAt: new Date(issued * 1000), expiresAt: new Date(exp * 1000) };
}

/** Undefined for an error that is no verdict on the token. */
function reasonOf(error: unknown): IdentityRefusalReason | undefined {
  if (error instanceof errors.JWTExpired) return 'expired';
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'signature';
  if (error instanceof errors.JOSEAlgNotAllowed) return 'algorithm';
  if (error instanceof errors.JWTClaimValidationFailed) return claimReason(error);
  return error instanceof errors.JOSEError ? 'malformed' : undefined;
}

function claimReason({ claim, reason }: errors.JWTClaimValidationFailed): IdentityRefusalReason {
  if (claim === 'aud') return 'audience';
  if (reason === 'missing') return 'missing_claim';
  return claim === 'nbf' ? 'not_yet_valid' : 'malformed';
}
