/** Port: the used single-use identity tokens, by the issuer's URL and `jti` (RFC 7519 §4.1.7). */
export interface IdentityUses {
  /**
   * Marks a token as used. True for the first use on any replica; false for every other until the token has expired.
   */
  consume(issuer: string, jti: string, expiresAt: Date): Promise<boolean>;
  /** Makes a token usable again after a request that granted nothing. */
  giveBack(issuer: string, jti: string): Promise<void>;
  /** True when the token was used. Does not mark it. Throws `unavailable`. */
  isUsed(issuer: string, jti: string): Promise<boolean>;
}
