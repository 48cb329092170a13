interface ReasonText {
  /** the fact, for the caller (when the caller may read it) and for docs/problems.md */
  readonly meaning: string;
  /** the change that the caller or the platform team can make */
  readonly help: string;
}

/**
 * Rules for tokens with a proven signature and issuer. The caller reads which rule refused: the holder of such a token
 * can read all of it already.
 */
export const PROVEN_REASONS = {
  expired: {
    meaning: 'the identity token has expired',
    help: 'get a new token from the issuer and send the request again',
  },
  not_yet_valid: {
    meaning: 'the identity token is not valid yet',
    help: 'wait, or correct the clock of the issuer',
  },
  lifetime: {
    meaning: 'the lifetime of the identity token exceeds the limit of its issuer',
    help: 'get a token with a shorter lifetime, or ask the platform team to raise `maxLifetimeSeconds` of the Issuer document',
  },
  audience: {
    meaning: 'the identity token is for another audience',
    help: 'get a token for one of the `audiences` of the Issuer document',
  },
  document_not_in_force: {
    meaning: 'the Issuer document with the audience of the identity token is out of force',
    help: 'ask someone with the role `platform` to test that document: it contradicts another document of the same issuer',
  },
  token_type: {
    meaning: 'the Issuer document does not accept the type of the identity token',
    help: 'get a token whose header has an accepted `typ`, or ask the platform team to accept the type in the Issuer document',
  },
  header_not_allowed: {
    meaning: 'the identity token has a header member that Mayfly never accepts',
    help: 'get a token whose header has only `alg`, `kid` and `typ`',
  },
  missing_claim: {
    meaning: 'the identity token lacks a required claim',
    help: 'ask the owner of the issuer to add the claim',
  },
  profile: {
    meaning: 'the claims of the identity token do not fit the profile of its issuer',
    help: 'compare the token with the `profile` of the Issuer document',
  },
  replayed: {
    meaning: 'an earlier task used this identity token',
    help: 'get a new token; each token of this issuer opens one task',
  },
  no_agent: {
    meaning: 'no agent is bound to this identity',
    help: 'ask someone with the role `platform` to add its issuer and subject to the `identities` of an agent',
  },
  ambiguous_agent: {
    meaning: 'more than one agent is bound to this identity',
    help: 'ask someone with the role `platform` to keep it in the `identities` of one agent only',
  },
  person_and_agent: {
    meaning: 'this identity has a role and is bound to an agent',
    help: 'ask someone with the role `platform` to remove the role from it, or the binding from the agent',
  },
} as const satisfies Readonly<Record<string, ReasonText>>;

/**
 * Reasons to refuse an unproven token. The caller reads one text for all of them, so that nobody can find the trusted
 * issuers and keys by trying. Audit, log and `GET /refusals` have the reason.
 */
export const UNPROVEN_REASONS = {
  oversized: {
    meaning: 'the token is longer than 16 KiB',
    help: 'configure the issuer to leave claims out',
  },
  malformed: {
    meaning: 'the token is not a signed JWT (RFC 7519) in compact form',
    help: 'send the token of the issuer without quotes or line breaks; Mayfly refuses opaque and encrypted tokens',
  },
  duplicate_claim: {
    meaning: 'the token has one member twice',
    help: 'correct the software of the issuer',
  },
  unknown_issuer: {
    meaning: 'no Issuer document has the `iss` of the token, or its SPIFFE trust domain',
    help: 'compare `issuer` of the refusal with the Issuer documents, character by character',
  },
  algorithm: {
    meaning: 'the Issuer document does not allow the `alg` of the token, or the key is for another algorithm',
    help: 'add the algorithm to `algorithms` if the issuer should use it',
  },
  critical_header: {
    meaning: 'the token has a header member `crit` or `b64`, which Mayfly does not support',
    help: 'configure the issuer to leave them out',
  },
  unknown_key: {
    meaning: 'no key of the issuer has the `kid` of the token and fits its `alg`',
    help: 'check that the issuer publishes the key; after a rotation Mayfly finds it within 30 seconds',
  },
  signature: {
    meaning: 'the signature does not fit the key that the token names',
    help: 'get a new token; someone altered or forged this one',
  },
} as const satisfies Readonly<Record<string, ReasonText>>;

/** Reasons that judge no token. */
export const OTHER_REASONS = {
  no_token: {
    meaning: 'the request has no bearer token in `Authorization`',
    help: 'get an identity token from your issuer and send it in `Authorization`',
  },
  keys_refused: {
    meaning: 'the egress guard refuses the address of the keys of the issuer',
    help: 'compare the address with `MAYFLY_EGRESS_ALLOW`; `detail` names the broken rule',
  },
  keys_unavailable: {
    meaning: 'Mayfly cannot read the keys of the identity issuer; try again later',
    help: 'look for the reason in the log, and check the keys in the Issuer document',
  },
} as const satisfies Readonly<Record<string, ReasonText>>;

export type ProvenReason = keyof typeof PROVEN_REASONS;
export type UnprovenReason = keyof typeof UNPROVEN_REASONS;

/** The reason why an identity was refused, as named in audit, log, metrics and `GET /refusals`. */
export type IdentityRefusalReason = ProvenReason | UnprovenReason | keyof typeof OTHER_REASONS;

export const IDENTITY_REFUSAL_REASONS = Object.keys({ ...PROVEN_REASONS, ...UNPROVEN_REASONS, ...OTHER_REASONS }) as [
  IdentityRefusalReason,
  ...IdentityRefusalReason[],
];

/** True when only the platform team may read the reason. */
export function isUnprovenReason(reason: IdentityRefusalReason): reason is UnprovenReason {
  return Object.hasOwn(UNPROVEN_REASONS, reason);
}

/** True when the sender of the token may read the reason. */
export function isProvenReason(reason: IdentityRefusalReason): reason is ProvenReason {
  return Object.hasOwn(PROVEN_REASONS, reason);
}
