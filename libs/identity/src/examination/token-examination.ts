import type { KeyObject } from 'node:crypto';
import { compactVerify } from 'jose';
import {
  allowsOtherAudiences,
  IdentityAlgorithmSchema,
  isSingleUse,
  type IssuerSpec,
  type TrustedIssuer,
} from '../issuers/issuer-spec.js';
import { identityRefusalReason, refusedMember } from '../identity-refusal.js';
import { TrustedIssuers } from '../issuers/trusted-issuers.js';
import type { KeySet } from '../keys/key-set.js';
import { profileRules } from '../profiles/profile-rules.js';
import { readCompactToken, type IdentityClaims, type UnprovenToken } from '../token/compact-token.js';
import { acceptsType, checkLifetime } from '../token/token-checks.js';
import { issuerCheck, quoted, reasonOf, type IssuerCheck } from './issuer-check.js';

/** The issuer, its keys and the instant that a token is examined against. */
export interface TokenExaminationInput {
  readonly issuer: TrustedIssuer;
  /** the keys, just fetched; undefined when they could not be fetched */
  readonly keys: KeySet | undefined;
  readonly now: Date;
}

/**
 * Checks a token against one issuer, rule by rule, and reports all faults at once. Proves nothing: `IdentityVerifier`
 * alone accepts callers. Keeps nothing of the token, and no detail holds its signature.
 */
export async function examineToken(token: string, input: TokenExaminationInput): Promise<IssuerCheck[]> {
  let unproven: UnprovenToken;
  try {
    unproven = readCompactToken(token);
  } catch (error) {
    return [issuerCheck('read the token', formFault(error))];
  }
  return [
    issuerCheck('read the token', undefined),
    ...headerChecks(unproven, input),
    await signatureCheck(token, unproven, input),
    ...claimChecks(unproven.claims, input),
  ];
}

const FORM: Readonly<Record<string, string>> = {
  oversized: 'it is longer than 16 KiB',
  duplicate_claim: 'it has one member twice',
  malformed: 'it is not a compact JWS: three parts of base64url, with JSON and correctly typed registered claims',
};

function formFault(error: unknown): string | undefined {
  const member = refusedMember(error);
  if (member === undefined) return FORM[identityRefusalReason(error) ?? ''] ?? FORM.malformed;
  return `\`${member}\` has a form that is not accepted: ${ACCEPTED_FORMS[member] ?? 'text of bounded length'}`;
}

const ACCEPTED_FORMS: Readonly<Record<string, string>> = {
  sub: 'printable ASCII, 1 to 2048 characters',
  jti: 'printable ASCII, 1 to 256 characters',
  aud: 'text or a list of at most 64 texts, each of at most 2048 characters',
  ...{ exp: 'a number', nbf: 'a number', iat: 'a number' },
};

function headerChecks({ header, claims }: UnprovenToken, { issuer, keys }: TokenExaminationInput): IssuerCheck[] {
  const { spec } = issuer;
  return [
    issuerCheck('iss', issuerFault(claims, issuer)),
    issuerCheck('typ', typeFault(header, spec)),
    ...others(header, spec),
  ].concat(issuerCheck('alg', algorithmFault(header.alg, spec)), kidCheck(header, keys));
}

function issuerFault(claims: IdentityClaims, issuer: TrustedIssuer): string | undefined {
  if (reasonOf(() => new TrustedIssuers([issuer]).select(claims)) === undefined) return undefined;
  const { profile, issuer: wanted } = issuer.spec;
  if (profile === 'spiffe-jwt')
    return `\`sub\` is ${shown(claims.sub)}, which is not in the trust domain ${quoted(wanted)}`;
  return `the token has \`iss\` ${shown(claims.iss)}, the document ${quoted(wanted)}; make them equal, character by character`;
}

function typeFault(header: UnprovenToken['header'], spec: IssuerSpec): string | undefined {
  if (acceptsType(spec, header)) return undefined;
  const types = spec.tokenTypes ?? profileRules[spec.profile].types;
  const change = types.some((type) => type === 'at+jwt')
    ? ''
    : '; an access token (`at+jwt`) needs `tokenTypes` in the document';
  return `the header has \`typ\` ${shown(header.typ)}; the document accepts ${types.join(' or ')}${change}`;
}

/** The check of other header members; none when there are no others. */
function others(header: object, { profile }: IssuerSpec): IssuerCheck[] {
  const known = ['alg', 'kid', 'typ', ...profileRules[profile].ignoredHeaders];
  const found = Object.keys(header).filter((name) => !known.includes(name));
  if (found.length === 0) return [];
  return [
    issuerCheck(
      'header',
      `it has ${found.map(quoted).join(', ')}; tokens with their own keys or extensions are refused`,
    ),
  ];
}

function algorithmFault(alg: string, { algorithms }: IssuerSpec): string | undefined {
  if (algorithms.some((name) => name === alg)) return undefined;
  return `the token is signed with ${quoted(alg)}; the document has \`algorithms\` ${algorithms.join(', ')}`;
}

function kidCheck({ alg, kid }: UnprovenToken['header'], keys: KeySet | undefined): IssuerCheck {
  if (keys === undefined) return { name: 'kid', outcome: 'skipped', detail: 'the keys could not be fetched' };
  if (keyFor(alg, kid, keys) !== undefined) return issuerCheck('kid', undefined);
  if (kid === undefined)
    return issuerCheck('kid', 'the token names no `kid`, and its `alg` fits no published key or several');
  const why = keys.has(kid) ? 'is for another algorithm, or is published twice' : 'is not among the published keys';
  return issuerCheck('kid', `${quoted(kid)} ${why}`);
}

function keyFor(alg: string, kid: string | undefined, keys: KeySet | undefined): KeyObject | undefined {
  const algorithm = IdentityAlgorithmSchema.safeParse(alg).data;
  return algorithm === undefined ? undefined : keys?.find(algorithm, kid);
}

async function signatureCheck(
  token: string,
  { header }: UnprovenToken,
  { keys }: TokenExaminationInput,
): Promise<IssuerCheck> {
  const key = keyFor(header.alg, header.kid, keys);
  if (key === undefined) return { name: 'signature', outcome: 'skipped', detail: 'there is no key to verify it with' };
  const isRight = await compactVerify(token, key, { algorithms: [header.alg] }).then(
    () => true,
    () => false,
  );
  return issuerCheck(
    'signature',
    isRight ? undefined : 'the published key did not sign it; it was altered, or signed with another key',
  );
}

function claimChecks(claims: IdentityClaims, { issuer, now }: TokenExaminationInput): IssuerCheck[] {
  const { spec } = issuer;
  return [
    issuerCheck('aud', audienceFault(claims, spec)),
    issuerCheck('exp', expiryFault(claims, spec, now)),
    issuerCheck('nbf', notBeforeFault(claims, spec, now)),
    issuerCheck('lifetime', lifetimeFault(claims, spec, now)),
    issuerCheck('claims', missingClaims(claims, spec)),
    issuerCheck('profile', profileFault(claims, spec), `\`${spec.profile}\``),
  ];
}

function audienceFault({ aud = [] }: IdentityClaims, spec: IssuerSpec): string | undefined {
  const { audiences } = spec;
  const named = [aud].flat();
  if (named.some((audience) => audiences.includes(audience))) {
    if (named.length === 1 || allowsOtherAudiences(spec)) return undefined;
    return `the token names other audiences too: ${named.map(quoted).join(', ')}; set \`multipleAudiences\` in the document to allow it`;
  }
  return `the token is for ${named.length === 0 ? 'nobody' : named.map(quoted).join(', ')}; the document has \`audiences\` ${audiences.map(quoted).join(', ')}`;
}

function expiryFault({ exp }: IdentityClaims, { clockToleranceSeconds }: IssuerSpec, now: Date): string | undefined {
  if (exp === undefined) return 'there is none';
  return exp > seconds(now) - clockToleranceSeconds ? undefined : `it expired at ${instant(exp)}`;
}

function notBeforeFault({ nbf }: IdentityClaims, { clockToleranceSeconds }: IssuerSpec, now: Date): string | undefined {
  if (nbf === undefined || nbf <= seconds(now) + clockToleranceSeconds) return undefined;
  return `it is valid from ${instant(nbf)} on`;
}

function lifetimeFault(claims: IdentityClaims, spec: IssuerSpec, now: Date): string | undefined {
  const { exp, iat } = claims;
  if (exp === undefined) return 'without `exp` it has none';
  const reason = reasonOf(() => checkLifetime(claims, spec, now));
  if (reason === undefined) return undefined;
  if (reason === 'not_yet_valid') return `it was issued at ${instant(iat ?? 0)}, which is in the future`;
  const length = iat === undefined ? 'from now on' : 'from `iat` to `exp`';
  return `it is ${String(exp - (iat ?? seconds(now)))} s ${length}; \`maxLifetimeSeconds\` is ${String(spec.maxLifetimeSeconds)}`;
}

function missingClaims(claims: IdentityClaims, spec: IssuerSpec): string | undefined {
  const needed = [...profileRules[spec.profile].requiredClaims, ...(isSingleUse(spec) ? ['jti'] : [])];
  const missing = needed.filter((name) => !Object.hasOwn(claims, name));
  return missing.length === 0 ? undefined : `it lacks ${missing.map(quoted).join(', ')}`;
}

const PROFILE_FAULTS: Readonly<Record<string, string>> = {
  audience: 'a JWT-SVID must have exactly one audience',
  missing_claim: 'a claim that the profile needs is missing',
};

function profileFault(claims: IdentityClaims, spec: IssuerSpec): string | undefined {
  const reason = reasonOf(() => profileRules[spec.profile].accept(claims, spec, new Set()));
  if (reason === undefined) return undefined;
  return PROFILE_FAULTS[reason] ?? `its claims do not have the shape of a \`${spec.profile}\` token`;
}

const seconds = (now: Date): number => Math.floor(now.getTime() / 1000);
const shown = (text: string | undefined): string => (text === undefined ? 'none' : quoted(text));

function instant(epochSeconds: number): string {
  const at = new Date(epochSeconds * 1000);
  return Number.isNaN(at.getTime()) ? 'no instant' : at.toISOString();
}
