import type { JsonObject } from '@mayfly/kernel';

export interface IdentityTokenOrder {
  /** the one audience, such as `sts.amazonaws.com` */
  readonly audience: string;
  readonly subject: string;
  /** at most 3,600 */
  readonly lifetimeSeconds: number;
  /** further claims; none of the registered ones (RFC 7519 §4.1) */
  readonly claims?: JsonObject;
}

/**
 * Tokens by which Mayfly proves itself to targets that trust it as an OpenID Provider (AWS, Vault): no stored secret. Their
 * issuer and keys are not those of the access tokens that agents get, so that no agent's token opens a target this way.
 */
export interface IdentityTokens {
  /** the `iss` of the tokens; `<issuer>/.well-known/openid-configuration` leads to the keys */
  readonly issuer: string;
  /** A JWT in compact form (RS256). Throws `unavailable` when no key is ready. */
  issue(order: IdentityTokenOrder): Promise<string>;
}
