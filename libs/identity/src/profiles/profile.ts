import type { IssuerSpec } from '../issuers/issuer-spec.js';
import type { IdentityClaims } from '../token/compact-token.js';

/** The value of a bound claim. Values are compared by type and value. */
export type ClaimValue = string | number | boolean;

/** Claims kept for bindings: scalar values by name. Never the token. */
export type KeptClaims = Readonly<Record<string, ClaimValue>>;

/** The rules for tokens of one kind of issuer, in addition to the rules for every token. */
export interface ProfileRules {
  /**
   * accepted `typ` values (RFC 8725 §3.11), in lower case and without `application/`; a token without `typ` counts as
   * `jwt`
   */
  readonly types: readonly string[];
  /** header members that are ignored; all others except `alg`, `kid` and `typ` are refused */
  readonly ignoredHeaders: readonly string[];
  readonly requiredClaims: readonly string[];
  /**
   * Checks the proven claims. `boundNames` are the claims that agents are bound to. Throws `unauthenticated`, with
   * `profile` when the claims have the wrong form for the profile.
   */
  readonly accept: (claims: IdentityClaims, spec: IssuerSpec, boundNames: ReadonlySet<string>) => AcceptedClaims;
}

/** The result of a profile for accepted claims. */
export interface AcceptedClaims {
  readonly subject: string;
  readonly kept: KeptClaims;
}
