import type { IssuerSpec } from '../issuers/issuer-spec.js';
import type { TokenClaims } from '../token/compact-token.js';

/** Claims kept for bindings and for the audit: few, scalar, by name. Never the token. */
export type KeptClaims = Readonly<Record<string, string>>;

/** What one kind of issuer promises about its tokens, beyond what every token must hold. */
export interface ProfileRules {
  /** `typ` values accepted besides none (RFC 8725 §3.11), in lower case and without `application/` */
  readonly types: readonly string[];
  /** header members passed over without being used; all others but `alg`, `kid`, `typ` are refused */
  readonly ignoredHeaders: readonly string[];
  readonly requiredClaims: readonly string[];
  /** Checks the proven claims. Throws `unauthenticated` with `profile` (or `audience`) when they have not the profile's shape. */
  readonly accept: (claims: TokenClaims, spec: IssuerSpec) => AcceptedClaims;
}

export interface AcceptedClaims {
  readonly subject: string;
  readonly kept: KeptClaims;
}
