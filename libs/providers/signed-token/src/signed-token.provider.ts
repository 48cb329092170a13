import type {
  ConnectionAware,
  CredentialProvider,
  Introspectable,
  Minted,
  MintOrder,
  ProviderTraits,
  Renewable,
  ResourceServer,
  RevocationOrder,
  RevocationOutcome,
  ScopeObjection,
} from '@mayfly/credentials';
import { Problem } from '@mayfly/kernel';
import type { TokenClaims, TokenSigner } from '@mayfly/trust';
import {
  SignedTokenConfigSchema,
  SignedTokenHandleSchema,
  SignedTokenScopeSchema,
  type SignedTokenConfig,
  type SignedTokenHandle,
  type SignedTokenScope,
} from './signed-token.schemas.js';

/** The `typ` of the tokens (RFC 9068 §2.1). */
export const ACCESS_TOKEN_TYPE = 'at+jwt';

export type SignedTokenOrder = MintOrder<SignedTokenConfig, SignedTokenScope>;

/**
 * JWT access tokens (RFC 9068), signed here and checked by resource servers, offline or by introspection. Minting has no
 * effect outside this process. The same order gives a token with the same claims, under the key of the moment.
 */
export class SignedTokenProvider
  implements
    CredentialProvider<SignedTokenConfig, SignedTokenScope, SignedTokenHandle>,
    Renewable<SignedTokenConfig, SignedTokenScope, SignedTokenHandle>,
    ConnectionAware<SignedTokenConfig, SignedTokenScope>,
    Introspectable<SignedTokenConfig>
{
  readonly kind = 'signed-token';
  readonly schemas = {
    config: SignedTokenConfigSchema,
    scope: SignedTokenScopeSchema,
    handle: SignedTokenHandleSchema,
  };
  // An hour, as the template decides how long within it; a token is not kept shorter than its lease (ADR 0005).
  readonly secretMembers: readonly string[] = [];
  readonly traits: ProviderTraits = {
    revocation: 'propagating',
    minTtlSeconds: 1,
    maxTtlSeconds: 3_600,
    remote: false,
  };

  /** `issuer` is the URL of this service as its metadata states it (RFC 8414). */
  constructor(
    private readonly signer: TokenSigner,
    private readonly issuer: string,
  ) {}

  inspect({ audience }: SignedTokenConfig, scope: SignedTokenScope): readonly ScopeObjection[] {
    if (audience === undefined || audience === scope.audience) return [];
    return [{ severity: 'error', detail: `the connection does not serve the audience \`${scope.audience}\`` }];
  }

  resourceServersOf({ audience, resourceServers = [] }: SignedTokenConfig): readonly ResourceServer[] {
    return audience === undefined ? [] : resourceServers.map((server) => ({ audience, ...server }));
  }

  plan({ leaseId, config, scope }: SignedTokenOrder): SignedTokenHandle {
    for (const { detail } of this.inspect(config, scope)) throw new Problem('provider_rejected', detail);
    return { jti: leaseId };
  }

  /** Throws `provider_rejected` for a lifetime or an audience out of bounds, and when no key is ready: nothing was minted. */
  async mint(
    order: SignedTokenOrder,
    planned: SignedTokenHandle,
    signal: AbortSignal,
  ): Promise<Minted<SignedTokenHandle>> {
    this.refuseOutOfBounds(order);
    if (signal.aborted) throw new Problem('provider_rejected', 'the token was not signed in time');
    const claims = this.claimsOf(order, planned);
    const token = await this.sign(claims);
    return {
      handle: planned,
      secret: { token, tokenType: 'Bearer' },
      providerExpiresAt: new Date(claims.exp * 1000),
    };
  }

  /**
   * The lease is what introspection looks at, so that a resource server that introspects refuses the token from the
   * commit that ends the lease; there is nothing to call. One that verifies offline cannot know of it and accepts the
   * token until its `exp`: that is the instant stated as `effectiveAt`.
   */
  async revoke(order: RevocationOrder<SignedTokenConfig, SignedTokenHandle>): Promise<RevocationOutcome> {
    return { kind: 'revoked', effectiveAt: order.expiresAt };
  }

  /** A token cannot be stretched: this is another one with the same `jti`. `order.issuedAt` is the instant of the renewal. */
  async renew(
    order: SignedTokenOrder,
    handle: SignedTokenHandle,
    signal: AbortSignal,
  ): Promise<Minted<SignedTokenHandle>> {
    return this.mint(order, handle, signal);
  }

  private refuseOutOfBounds({ config, scope, issuedAt, expiresAt }: SignedTokenOrder): void {
    const { minTtlSeconds, maxTtlSeconds } = this.traits;
    const seconds = (expiresAt.getTime() - issuedAt.getTime()) / 1000;
    if (seconds < minTtlSeconds || seconds > maxTtlSeconds) {
      const bounds = `${String(minTtlSeconds)} to ${String(maxTtlSeconds)} s`;
      throw new Problem('provider_rejected', `a signed token lives for ${bounds}, not ${String(seconds)} s`);
    }
    for (const { detail } of this.inspect(config, scope)) throw new Problem('provider_rejected', detail);
  }

  /**
   * The claims of RFC 9068 §2.2, with operations both as `scope` and as authorization details (RFC 9396 §2). Instants are
   * cut to the second before, so that the token is dead by the granted deadline (I6).
   */
  private claimsOf(order: SignedTokenOrder, { jti }: SignedTokenHandle): TokenClaims {
    const { audience, operations } = order.scope;
    return {
      iss: this.issuer,
      sub: order.agent.id,
      client_id: order.agent.id,
      aud: audience,
      iat: Math.floor(order.issuedAt.getTime() / 1000),
      exp: Math.floor(order.expiresAt.getTime() / 1000),
      jti,
      scope: operations.join(' '),
      authorization_details: [{ type: 'mayfly_operations', actions: operations, locations: [audience] }],
      task_id: order.taskId,
      template: { name: order.template.name, version: order.template.version },
    };
  }

  private async sign(claims: TokenClaims): Promise<string> {
    try {
      return await this.signer.sign(ACCESS_TOKEN_TYPE, claims);
    } catch (cause) {
      throw new Problem('provider_rejected', 'the token could not be signed', { cause, retryAfterSeconds: 5 });
    }
  }
}
