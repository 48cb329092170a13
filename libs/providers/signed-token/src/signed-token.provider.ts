import type {
  Attenuable,
  ConnectionAware,
  CredentialProvider,
  Introspectable,
  Minted,
  MintOrder,
  OperationJudging,
  ProviderTraits,
  Renewable,
  ResourceServer,
  RevocationOrder,
  RevocationOutcome,
  ScopeObjection,
} from '@mayfly/credentials';
import { Problem } from '@mayfly/kernel';
import { ACCESS_TOKEN_TYPE, type TokenClaims, type TokenSigner } from '@mayfly/trust';
import { partiesOf } from './parties.js';
import {
  SignedTokenConfigSchema,
  SignedTokenHandleSchema,
  SignedTokenScopeSchema,
  type SignedTokenConfig,
  type SignedTokenHandle,
  type SignedTokenScope,
} from './signed-token.schemas.js';

export type SignedTokenOrder = MintOrder<SignedTokenConfig, SignedTokenScope>;

/**
 * Mints JWT access tokens (RFC 9068), which resource servers verify offline or by introspection. Minting has no effect
 * outside this process. The same order gives a token with the same claims, signed with the current key.
 */
export class SignedTokenProvider
  implements
    CredentialProvider<SignedTokenConfig, SignedTokenScope, SignedTokenHandle>,
    Renewable<SignedTokenConfig, SignedTokenScope, SignedTokenHandle>,
    ConnectionAware<SignedTokenConfig, SignedTokenScope>,
    Introspectable<SignedTokenConfig>,
    Attenuable<SignedTokenScope>,
    OperationJudging<SignedTokenScope>
{
  readonly kind = 'signed-token';
  readonly schemas = {
    config: SignedTokenConfigSchema,
    scope: SignedTokenScopeSchema,
    handle: SignedTokenHandleSchema,
  };
  readonly secretMembers: readonly string[] = [];
  // one hour at most; the template sets the lifetime within it, and a token is not shorter than its lease (ADR 0005)
  readonly traits: ProviderTraits = {
    revocation: 'propagating',
    minTtlSeconds: 1,
    maxTtlSeconds: 3_600,
    remote: false,
  };

  /** `issuer` is the URL of this service, as in its metadata (RFC 8414). */
  constructor(
    private readonly signer: TokenSigner,
    private readonly issuer: string,
  ) {}

  inspect({ audience }: SignedTokenConfig, scope: SignedTokenScope): readonly ScopeObjection[] {
    if (audience === undefined || audience === scope.audience) return [];
    return [
      {
        severity: 'error',
        detail: `the connection does not serve the audience \`${scope.audience}\`; use the audience of the connection`,
      },
    ];
  }

  resourceServersOf({ audience, resourceServers = [] }: SignedTokenConfig): readonly ResourceServer[] {
    return audience === undefined ? [] : resourceServers.map((server) => ({ audience, ...server }));
  }

  audienceFor({ audience }: SignedTokenConfig): string | undefined {
    return audience;
  }

  isWithin(scope: SignedTokenScope, parent: SignedTokenScope): boolean {
    const allowed = new Set(parent.operations);
    return scope.audience === parent.audience && scope.operations.every((operation) => allowed.has(operation));
  }

  audienceOf({ audience }: SignedTokenScope): string {
    return audience;
  }

  /** The target is the audience, or a name below it, such as the URL of one resource. */
  allowsOperation({ audience, operations }: SignedTokenScope, operation: string, target: string): boolean {
    const isBelow = target.startsWith(audience.endsWith('/') ? audience : `${audience}/`);
    return (target === audience || isBelow) && operations.includes(operation);
  }

  plan({ leaseId, config, scope }: SignedTokenOrder): SignedTokenHandle {
    for (const { detail } of this.inspect(config, scope)) throw new Problem('provider_rejected', detail);
    return { jti: leaseId };
  }

  /**
   * Throws `provider_rejected` for a lifetime or an audience out of bounds, after the deadline, and when no key is
   * ready: nothing was minted.
   */
  async mint(
    order: SignedTokenOrder,
    planned: SignedTokenHandle,
    signal: AbortSignal,
  ): Promise<Minted<SignedTokenHandle>> {
    this.refuseOutOfBounds(order);
    if (signal.aborted) throw new Problem('provider_rejected', 'Mayfly did not sign the token in time; try again');
    const claims = this.claimsOf(order, planned);
    const token = await this.sign(claims);
    return {
      handle: planned,
      secret: { token, tokenType: 'Bearer' },
      providerExpiresAt: new Date(claims.exp * 1000),
    };
  }

  /**
   * Calls nothing. Introspection reads the lease, so that a resource server that introspects refuses the token from the
   * commit that ends the lease. A resource server that verifies offline accepts the token until its `exp`, which
   * `effectiveAt` states.
   */
  async revoke(order: RevocationOrder<SignedTokenConfig, SignedTokenHandle>): Promise<RevocationOutcome> {
    return { kind: 'revoked', effectiveAt: order.expiresAt };
  }

  /**
   * Mints another token with the same `jti`, because the expiry of a token cannot change. `order.issuedAt` is the
   * instant of the renewal.
   */
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
      throw new Problem(
        'provider_rejected',
        `a signed token lives for ${bounds}, not ${String(seconds)} s; change the lifetime`,
      );
    }
    for (const { detail } of this.inspect(config, scope)) throw new Problem('provider_rejected', detail);
  }

  /**
   * Returns the claims of RFC 9068 §2.2, with the operations both as `scope` and as authorization details (RFC 9396
   * §2). Rounds instants down to the second, so that the token has expired by the granted deadline (I6).
   */
  private claimsOf(order: SignedTokenOrder, { jti }: SignedTokenHandle): TokenClaims {
    const { audience, operations } = order.scope;
    return {
      iss: this.issuer,
      ...partiesOf(order),
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
      throw new Problem('provider_rejected', 'Mayfly could not sign the token; try again later', {
        cause,
        retryAfterSeconds: 5,
      });
    }
  }
}
