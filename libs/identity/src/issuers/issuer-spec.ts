import { z } from 'zod';
import { isClaimPath } from '../profiles/claim-path.js';
import { parseSpiffeId } from '../spiffe-id.js';
import { FilePathSchema, KeysSchema } from './key-location.js';
import { isPlainUrl } from './plain-url.js';

export const IssuerProfileSchema = z.enum(['oidc', 'spiffe-jwt', 'kubernetes', 'github-actions']);
export type IssuerProfile = z.infer<typeof IssuerProfileSchema>;

/** Signature algorithms that may be trusted: asymmetric ones only (RFC 8725 §3.2, RFC 9864). */
export const IdentityAlgorithmSchema = z.enum(['ES256', 'ES384', 'RS256', 'PS256', 'EdDSA', 'Ed25519']);
export type IdentityAlgorithm = z.infer<typeof IdentityAlgorithmSchema>;

/** What a person may be. Agents have no role. */
export const RoleSchema = z.enum(['platform', 'approver', 'operator', 'auditor']);
export type Role = z.infer<typeof RoleSchema>;

/** `typ` of a token, without `application/`: `jwt` for a plain JWT or an ID token, `at+jwt` for an access token (RFC 9068 §2.1). */
const TokenTypeSchema = z.enum(['jwt', 'at+jwt']);

/** The name of a top-level claim, or a JSON Pointer (RFC 6901) that begins with `/` and leads through objects. */
const ClaimPathSchema = z
  .string()
  .min(1)
  .max(256)
  .refine(isClaimPath, 'write a JSON Pointer such as `/realm_access/roles` (`~1` for `/`, `~0` for `~`)');
const fields = z.strictObject({
  profile: IssuerProfileSchema,
  /** compared character by character, never normalised (RFC 8414 §3.3) */
  issuer: z.string().min(1).max(512),
  audiences: z.array(z.string().min(1).max(512)).min(1).max(8),
  /** whether a token may name other audiences beside ours; left out: as the profile says, see `allowsOtherAudiences` */
  multipleAudiences: z.boolean().optional(),
  /** which tokens are believed; left out: as the profile says. A token without `typ` is a `jwt` */
  tokenTypes: z.array(TokenTypeSchema).min(1).max(2).optional(),
  algorithms: z.array(IdentityAlgorithmSchema).min(1).max(6),
  keys: KeysSchema,
  /** the authorities of the servers that `keys` leads to, in PEM, in place of those of the system */
  caFile: FilePathSchema.optional(),
  /** whose claims fit a rule is a person; everybody else is a workload, and an agent where one is bound */
  roles: z
    .partialRecord(
      RoleSchema,
      z.strictObject({ claim: ClaimPathSchema, values: z.array(z.string().min(1).max(256)).min(1).max(64) }),
    )
    .refine((roles) => Object.keys(roles).length > 0, 'name at least one role, or leave `roles` out')
    .optional(),
  clockToleranceSeconds: z.int().min(0).max(60).default(10),
  /** the longest `exp` − `iat` that is believed */
  maxLifetimeSeconds: z.int().min(1).max(86_400).default(3600),
  /** how long keys are used past their ten minutes when the issuer cannot be reached */
  staleKeysSeconds: z.int().min(0).max(86_400).default(900),
  /** left out: as the profile says, see `isSingleUse` */
  replay: z.enum(['reusable', 'single-use']).optional(),
});
type Fields = z.infer<typeof fields>;

interface Rule {
  readonly path: readonly string[];
  readonly message: string;
  readonly isBroken: (spec: Fields) => boolean;
}

const isSpiffe = (spec: Fields): boolean => spec.profile === 'spiffe-jwt';
const isUrn = (issuer: string): boolean => /^urn:[a-z0-9][a-z0-9-]{0,31}:[\x21-\x7e]+$/.test(issuer);

/** What one field cannot say alone. */
const rules: readonly Rule[] = [
  {
    path: ['issuer'],
    message: 'a spiffe-jwt issuer is a trust domain, such as `spiffe://example.org`',
    isBroken: (spec) => isSpiffe(spec) && parseSpiffeId(spec.issuer)?.path !== '',
  },
  {
    path: ['issuer'],
    message: 'use an https URL with no user, query or fragment (or a `urn:` in development)',
    isBroken: (spec) => !isSpiffe(spec) && !isPlainUrl(spec.issuer) && !isUrn(spec.issuer),
  },
  {
    path: ['algorithms'],
    message: 'a JWT-SVID is never signed with EdDSA; use ES256, ES384, RS256 or PS256',
    isBroken: (spec) => isSpiffe(spec) && spec.algorithms.some((name) => name === 'EdDSA' || name === 'Ed25519'),
  },
  {
    path: ['keys', 'discovery'],
    message: 'only an issuer with a URL can be discovered; use `jwksUri` or `jwks`',
    isBroken: (spec) => spec.keys.discovery === true && (isSpiffe(spec) || isUrn(spec.issuer)),
  },
  {
    path: ['keys', 'bundleEndpoint'],
    message: 'a bundle endpoint belongs to a trust domain; use the profile `spiffe-jwt`, or `jwksUri`',
    isBroken: (spec) => !isSpiffe(spec) && spec.keys.bundleEndpoint !== undefined,
  },
  {
    path: ['caFile'],
    message: 'nothing is fetched with pinned keys; leave `caFile` out',
    isBroken: (spec) => spec.caFile !== undefined && spec.keys.jwks !== undefined,
  },
  {
    path: ['caFile'],
    message: 'with `https_spiffe` the bundle authenticates the endpoint; leave `caFile` out',
    isBroken: (spec) => spec.caFile !== undefined && spec.keys.bundleEndpoint?.profile === 'https_spiffe',
  },
  {
    path: ['roles'],
    message: 'only an oidc issuer speaks for people; leave `roles` out',
    isBroken: (spec) => spec.roles !== undefined && spec.profile !== 'oidc',
  },
  {
    path: ['tokenTypes'],
    message: 'only an oidc issuer has tokens of several types; leave `tokenTypes` out',
    isBroken: (spec) => spec.tokenTypes !== undefined && spec.profile !== 'oidc',
  },
];

/**
 * `Issuer.spec`: whose tokens are believed, for which audience, under which keys. Nothing in a token can choose these.
 * `http` URLs and private addresses pass here and are refused by `issuerEgressErrors` unless the operator vouches for the host.
 */
export const IssuerSpecSchema = fields.superRefine((spec, context) => {
  for (const { path, message, isBroken } of rules) {
    if (isBroken(spec)) context.addIssue({ code: 'custom', path: [...path], message });
  }
});
export type IssuerSpec = z.infer<typeof IssuerSpecSchema>;

/** A stored issuer: the name that people gave it, and what was declared. */
export interface TrustedIssuer {
  readonly name: string;
  readonly spec: IssuerSpec;
}

/** Whether a token of this issuer may be presented once only; CI tokens are, unless declared otherwise. */
export function isSingleUse(spec: IssuerSpec): boolean {
  return (spec.replay ?? (spec.profile === 'github-actions' ? 'single-use' : 'reusable')) === 'single-use';
}

/** Whether a token may name others beside us: an SVID may not (JWT-SVID §3.2), all else may, unless declared otherwise. */
export function allowsOtherAudiences(spec: IssuerSpec): boolean {
  return spec.multipleAudiences ?? spec.profile !== 'spiffe-jwt';
}
