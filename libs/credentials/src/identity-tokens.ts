import type { JsonObject } from '@mayfly/kernel';

/** The token to issue. */
export interface IdentityTokenOrder {
  /** the one audience, such as `sts.amazonaws.com` */
  readonly audience: string;
  readonly subject: string;
  /** at most 3,600 */
  readonly lifetimeSeconds: number;
  /** further claims, none of them registered (RFC 7519 §4.1) */
  readonly claims?: JsonObject;
}

/**
 * Signs the tokens with which Mayfly proves its identity to targets that trust it as an OpenID Provider (AWS, Vault),
 * so that Mayfly stores no secret for them. Their issuer and keys differ from those of the agents' access tokens, so
 * that no agent's token opens such a target.
 */
export interface IdentityTokens {
  /** the `iss` of the tokens; `<issuer>/.well-known/openid-configuration` points to the keys */
  readonly issuer: string;
  /** Returns a JWT in compact form (RS256). Throws `unavailable` when no key is ready. */
  issue(order: IdentityTokenOrder): Promise<string>;
}
