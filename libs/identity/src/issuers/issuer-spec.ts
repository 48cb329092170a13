import { NameSchema } from '@mayfly/kernel';
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

/** The roles of people. Agents have none. An administrator is a platform person for the documents of every owner. */
export const RoleSchema = z.enum(['platform', 'approver', 'operator', 'auditor', 'administrator']);
export type Role = z.infer<typeof RoleSchema>;

/**
 * A token's `typ` without `application/`: `jwt` for a plain JWT or an ID token, `at+jwt` for an access token (RFC 9068
 * §2.1).
 */
const TokenTypeSchema = z.enum(['jwt', 'at+jwt']);

/** The name of a top-level claim, or a JSON Pointer (RFC 6901) that begins with `/` and goes through objects. */
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
  /** true when a token may name other audiences besides ours; default: `allowsOtherAudiences` */
  multipleAudiences: z.boolean().optional(),
  /** the accepted token types; default: those of the profile. A token without `typ` counts as `jwt` */
  tokenTypes: z.array(TokenTypeSchema).min(1).max(2).optional(),
  algorithms: z.array(IdentityAlgorithmSchema).min(1).max(6),
  keys: KeysSchema,
  /** the group whose platform persons may change this document, in production */
  owner: NameSchema.optional(),
  /** the authorities of the servers in `keys`, in PEM, instead of the system's */
  caFile: FilePathSchema.optional(),
  /** an identity whose claims match a rule is a person with that role */
  roles: z
    .partialRecord(
      RoleSchema,
      z.strictObject({ claim: ClaimPathSchema, values: z.array(z.string().min(1).max(256)).min(1).max(64) }),
    )
    .refine((roles) => Object.keys(roles).length > 0, 'name at least one role, or leave `roles` out')
    .optional(),
  /** the claim with the names of a person's groups; default: the claims that `roles` name */
  groups: z.strictObject({ claim: ClaimPathSchema }).optional(),
  clockToleranceSeconds: z.int().min(0).max(60).default(10),
  /** the longest accepted `exp` − `iat` */
  maxLifetimeSeconds: z.int().min(1).max(86_400).default(3600),
  /** the seconds that keys serve after they are no longer fresh, while the issuer cannot be reached */
  staleKeysSeconds: z.int().min(0).max(86_400).default(900),
  /** default: `isSingleUse` */
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

/** The rules that involve several fields. */
const rules: readonly Rule[] = [
  {
    path: ['issuer'],
    message: 'use a trust domain for a spiffe-jwt issuer, such as `spiffe://example.org`',
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
    message: '`caFile` has no effect with pinned keys; leave it out',
    isBroken: (spec) => spec.caFile !== undefined && spec.keys.jwks !== undefined,
  },
  {
    path: ['caFile'],
    message: 'with `https_spiffe` the bundle authenticates the endpoint; leave `caFile` out',
    isBroken: (spec) => spec.caFile !== undefined && spec.keys.bundleEndpoint?.profile === 'https_spiffe',
  },
  {
    path: ['roles'],
    message: 'only an oidc issuer may have `roles`; leave `roles` out',
    isBroken: (spec) => spec.roles !== undefined && spec.profile !== 'oidc',
  },
  {
    path: ['groups'],
    message: 'only people have groups; state `roles` too, or leave `groups` out',
    isBroken: (spec) => spec.groups !== undefined && spec.roles === undefined,
  },
  {
    path: ['tokenTypes'],
    message: 'only an oidc issuer may have `tokenTypes`; leave it out',
    isBroken: (spec) => spec.tokenTypes !== undefined && spec.profile !== 'oidc',
  },
];

/**
 * `Issuer.spec`: a trusted issuer, with its audiences and its keys. Nothing in a token can choose these. The schema
 * takes `http` URLs and private addresses; `issuerEgressErrors` refuses them unless the allow-list has the host.
 */
export const IssuerSpecSchema = fields.superRefine((spec, context) => {
  for (const { path, message, isBroken } of rules) {
    if (isBroken(spec)) context.addIssue({ code: 'custom', path: [...path], message });
  }
});
export type IssuerSpec = z.infer<typeof IssuerSpecSchema>;

/** A stored issuer: its declared name and spec. */
export interface TrustedIssuer {
  readonly name: string;
  readonly spec: IssuerSpec;
}

/** True when a token of this issuer may be used once only. Default: CI tokens. */
export function isSingleUse(spec: IssuerSpec): boolean {
  return (spec.replay ?? (spec.profile === 'github-actions' ? 'single-use' : 'reusable')) === 'single-use';
}

/** True when a token may name other audiences besides ours. Default: all tokens but an SVID (JWT-SVID §3.2). */
export function allowsOtherAudiences(spec: IssuerSpec): boolean {
  return spec.multipleAudiences ?? spec.profile !== 'spiffe-jwt';
}
