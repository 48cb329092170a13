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
    help: 'wait, or set the clock of the issuer right',
  },
  lifetime: {
    meaning: 'the identity token lives longer than tokens of its issuer may',
    help: 'get a token that lives shorter, or have `maxLifetimeSeconds` of the Issuer document raised',
  },
  audience: {
    meaning: 'the identity token is for another audience',
    help: 'get a token for one of the `audiences` of the Issuer document',
  },
  document_not_in_force: {
    meaning: 'the Issuer document that has the audience of the identity token is out of force',
    help: 'have someone with the role `platform` test that document: it contradicts another one of the same issuer',
  },
  token_type: {
    meaning: 'the identity token is of a type that its issuer is not trusted for',
    help: 'get a token whose header has an accepted `typ`, or have the type accepted in the Issuer document',
  },
  header_not_allowed: {
    meaning: 'the identity token has a header member that is never accepted',
    help: 'get a token whose header has `alg`, `kid` and `typ` alone',
  },
  missing_claim: {
    meaning: 'the identity token lacks a claim that tokens of its issuer must have',
    help: 'have the issuer add the claim',
  },
  profile: {
    meaning: 'the claims of the identity token do not fit the profile of its issuer',
    help: 'compare the token with the `profile` of the Issuer document',
  },
  replayed: {
    meaning: 'this identity token has been used for a task',
    help: 'get a new token; tokens of its issuer open one task each',
  },
  no_agent: {
    meaning: 'no agent is bound to this identity',
    help: 'have someone with the role `platform` add its issuer and subject to the `identities` of an agent',
  },
  ambiguous_agent: {
    meaning: 'more than one agent is bound to this identity',
    help: 'have someone with the role `platform` leave it in the `identities` of one agent',
  },
  person_and_agent: {
    meaning: 'this identity has a role and is bound to an agent',
    help: 'have someone with the role `platform` take the role from it, or the binding from the agent',
  },
} as const satisfies Readonly<Record<string, ReasonText>>;

/**
 * Reasons to refuse an unproven token. The caller reads one text for all of them, so that nobody can find the trusted
 * issuers and keys by trying. Audit, log and `GET /refusals` have the reason.
 */
export const UNPROVEN_REASONS = {
  oversized: {
    meaning: 'the token is longer than 16 KiB',
    help: 'have the issuer leave out claims',
  },
  malformed: {
    meaning: 'the token is no signed JWT (RFC 7519) in compact form',
    help: 'send the bare token that the issuer gave, without quotes or line breaks; opaque and encrypted tokens are not read',
  },
  duplicate_claim: {
    meaning: 'the token names one member twice',
    help: 'mend the issuer',
  },
  unknown_issuer: {
    meaning: 'no Issuer document has the `iss` of the token, or its SPIFFE trust domain',
    help: 'compare `issuer` of the refusal with the Issuer documents, character by character',
  },
  algorithm: {
    meaning: 'the Issuer document does not allow the `alg` of the token, or its key is of another one',
    help: 'add the algorithm to `algorithms` if the issuer is to use it',
  },
  critical_header: {
    meaning: 'the token has a header `crit` or `b64`, which no extension here understands',
    help: 'have the issuer leave them out',
  },
  unknown_key: {
    meaning: 'no key of the issuer has the `kid` of the token and fits its `alg`',
    help: 'look whether the issuer publishes the key; after a rotation it is found within 30 seconds',
  },
  signature: {
    meaning: 'the signature does not fit the key that the token names',
    help: 'the token was altered, or somebody tried',
  },
} as const satisfies Readonly<Record<string, ReasonText>>;

/** Reasons that judge no token. */
export const OTHER_REASONS = {
  no_token: {
    meaning: 'send a bearer token in `Authorization`',
    help: 'get an identity token from your issuer',
  },
  keys_refused: {
    meaning: 'the keys of the identity issuer may not be fetched from where they are',
    help: 'compare the address with `MAYFLY_EGRESS_ALLOW`; the detail names the rule',
  },
  keys_unavailable: {
    meaning: 'the keys of the identity issuer cannot be read; try again later',
    help: 'look at the log for why, and at the keys in the Issuer document',
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
