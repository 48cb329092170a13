import type { KeyObject } from 'node:crypto';
import type { Problem } from '@mayfly/kernel';
import { errors, jwtVerify } from 'jose';
import { identityRefused } from '../identity-refusal.js';
import type { IssuerGroup } from '../issuers/issuer-group.js';
import {
  allowsOtherAudiences,
  IdentityAlgorithmSchema,
  type IdentityAlgorithm,
  type IssuerSpec,
  type TrustedIssuer,
} from '../issuers/issuer-spec.js';
import { profileRules } from '../profiles/profile-rules.js';
import type { IdentityClaims, TokenHeader } from './compact-token.js';

const USED_HEADERS = ['alg', 'kid', 'typ'];

/**
 * Returns the algorithm of the key to find: one of this issuer's (RFC 8725 §3.1), from a header without extensions (RFC
 * 7515 §4.1.11). Throws `unauthenticated`.
 */
export function checkAlgorithm(header: TokenHeader, spec: IssuerSpec): IdentityAlgorithm {
  if ('crit' in header || 'b64' in header) throw identityRefused('critical_header');
  const algorithm = IdentityAlgorithmSchema.safeParse(header.alg).data;
  if (algorithm === undefined || !spec.algorithms.includes(algorithm)) throw identityRefused('algorithm');
  return algorithm;
}

/**
 * True when a document accepts tokens of this type. A token without `typ` counts as a plain JWT, so a document that
 * takes only access tokens refuses it (RFC 8725 §3.11).
 */
export function acceptsType({ profile, tokenTypes }: IssuerSpec, header: TokenHeader): boolean {
  return (tokenTypes ?? profileRules[profile].types).some((accepted) => accepted === typeOf(header));
}

/** Returns the type without `application/`, in lower case (RFC 7515 §4.1.9). */
function typeOf({ typ }: TokenHeader): string {
  return typ?.toLowerCase().replace(/^application\//, '') ?? 'jwt';
}

/**
 * Proves signature, issuer, audience and times (RFC 7519 §7.2) at `now`. Throws `unauthenticated` with the reason.
 * Checks the signature first, since only the holder of a proven token may read a reason about claims.
 */
export async function proveToken(token: string, key: KeyObject, group: IssuerGroup, now: Date): Promise<void> {
  const { lead, documents } = group;
  const { spec } = lead;
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
    throw outOfForce(error, group) ?? refusalOf(error) ?? error;
  }
}

/**
 * Checks the header of a proven token. Refuses members that Mayfly does not use (`jku`, `x5u`, `x5c`, `jwk`; RFC 8725
 * §3.10) and a `typ` that no document of this issuer accepts. None of these members has influenced the proof. Throws
 * `unauthenticated`.
 */
export function checkHeader(header: TokenHeader, { lead: { spec }, documents }: IssuerGroup): void {
  const { ignoredHeaders } = profileRules[spec.profile];
  const other = Object.keys(header).find((name) => !USED_HEADERS.includes(name) && !ignoredHeaders.includes(name));
  if (other !== undefined) throw identityRefused('header_not_allowed', `\`${other}\``);
  if (!documents.some((document) => acceptsType(document.spec, header)))
    throw identityRefused('token_type', `\`${typeOf(header)}\``);
}

/**
 * Returns the documents that accept a proven token: they have its type and one of its audiences (RFC 7519 §4.1.3, RFC
 * 8725 §3.9), and allow its other audiences. Throws `unauthenticated` when there is none: `token_type` when an audience
 * fits, otherwise `audience`.
 */
export function acceptingDocuments(
  header: TokenHeader,
  { aud = [] }: IdentityClaims,
  group: IssuerGroup,
): TrustedIssuer[] {
  const audiences = [aud].flat();
  const meant = group.documents.filter(({ spec }) => audiences.some((audience) => spec.audiences.includes(audience)));
  const alone = meant.filter(({ spec }) => audiences.length === 1 || allowsOtherAudiences(spec));
  const accepting = alone.filter(({ spec }) => acceptsType(spec, header));
  if (accepting.length > 0) return accepting;
  if (alone.length > 0) throw identityRefused('token_type', `\`${typeOf(header)}\``);
  const named = audiences.slice(0, 5).join(', ');
  throw identityRefused(
    'audience',
    meant.length > 0 ? `it names other audiences too, and \`multipleAudiences\` is not set: ${named}` : named,
  );
}

/**
 * Returns the times of a proven token (`exp` and `iat`, RFC 7519 §4.1.4 and §4.1.6). Refuses a token from the future,
 * and one that lives longer than this issuer allows. Throws `unauthenticated`.
 */
export function checkLifetime(
  { exp, iat }: IdentityClaims,
  spec: IssuerSpec,
  now: Date,
): { issuedAt: Date; expiresAt: Date } {
  const nowSeconds = Math.floor(now.getTime() / 1000);
  const issued = iat ?? nowSeconds;
  if (exp === undefined) throw identityRefused('missing_claim', '`exp`');
  if (issued > nowSeconds + spec.clockToleranceSeconds)
    throw identityRefused('not_yet_valid', `\`iat\` is ${String(issued - nowSeconds)} s in the future`);
  if (exp <= issued - spec.clockToleranceSeconds || exp - issued > spec.maxLifetimeSeconds) {
    throw identityRefused('lifetime', `${String(exp - issued)} s`);
  }
  return { issuedAt: new Date(issued * 1000), expiresAt: new Date(exp * 1000) };
}

/**
 * Returns the refusal of a token when only a document that is out of force has its audience; undefined for any other
 * error.
 */
function outOfForce(error: unknown, { overruled = [] }: IssuerGroup): Problem | undefined {
  if (!(error instanceof errors.JWTClaimValidationFailed && error.claim === 'aud')) return undefined;
  const audiences = [error.payload.aud ?? []].flat();
  const fault = overruled.find(({ document }) => document.spec.audiences.some((one) => audiences.includes(one)));
  return fault === undefined ? undefined : identityRefused('document_not_in_force', `\`${fault.document.name}\``);
}

/**
 * Returns undefined for an error that judges no token. jose throws errors about claims only after it has proven the
 * signature.
 */
function refusalOf(error: unknown): Problem | undefined {
  if (error instanceof errors.JWTExpired) return identityRefused('expired', instantOf(error.payload.exp));
  if (error instanceof errors.JWTClaimValidationFailed) return claimRefusal(error);
  if (error instanceof errors.JWSSignatureVerificationFailed) return identityRefused('signature');
  if (error instanceof errors.JOSEAlgNotAllowed) return identityRefused('algorithm');
  return error instanceof errors.JOSEError ? identityRefused('malformed') : undefined;
}

function claimRefusal({ claim, reason, payload }: errors.JWTClaimValidationFailed): Problem {
  if (claim === 'aud')
    return identityRefused('audience', [payload.aud ?? 'it names no audience'].flat().slice(0, 5).join(', '));
  if (reason === 'missing') return identityRefused('missing_claim', `\`${claim}\``);
  return claim === 'nbf'
    ? identityRefused('not_yet_valid', '`nbf` is in the future')
    : identityRefused('profile', `\`${claim}\``);
}

/** Returns undefined for a number that is no instant. */
function instantOf(seconds = Number.NaN): string | undefined {
  const instant = new Date(seconds * 1000);
  return Number.isNaN(instant.getTime()) ? undefined : instant.toISOString();
}
