import type { IssuerSpec } from '../issuers/issuer-spec.js';
import type { TokenClaims } from '../token/compact-token.js';

/** What a claim may be bound to: text, a whole number, or true and false. They are compared by type and value. */
export type ClaimValue = string | number | boolean;

/** Claims kept for bindings: scalar, by name. Never the token. */
export type KeptClaims = Readonly<Record<string, ClaimValue>>;

/** What one kind of issuer promises about its tokens, beyond what every token must hold. */
export interface ProfileRules {
  /** `typ` values accepted besides none (RFC 8725 §3.11), in lower case and without `application/` */
  readonly types: readonly string[];
  /** header members passed over without being used; all others but `alg`, `kid`, `typ` are refused */
  readonly ignoredHeaders: readonly string[];
  readonly requiredClaims: readonly string[];
  /**
   * Checks the proven claims. `boundNames` are the claims that agents are bound to. Throws `unauthenticated` with
   * `profile` when they have not the profile's shape.
   */
  readonly accept: (claims: TokenClaims, spec: IssuerSpec, boundNames: ReadonlySet<string>) => AcceptedClaims;
}

export interface AcceptedClaims {
  readonly subject: string;
  readonly kept: KeptClaims;
}
