import type { Catalog } from '@mayfly/declarations';
import type { IdentityVerifier, VerifiedIdentity } from '@mayfly/identity';
import { Problem } from '@mayfly/kernel';
import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { FastifyRequest } from 'fastify';
import { isPermitted, Permits, type Permission } from './permits.js';
import type { Principal } from './principal.js';
import type { RefusalRecorder } from './refusal.recorder.js';

/** The request of a route, with who calls once the guard has let it through. */
export type IdentifiedRequest = FastifyRequest & { principal?: Principal };

/** Step 1 of the path: proves who calls, and refuses every route that does not state who may use it. */
@Injectable()
export class IdentityGuard implements CanActivate {
  constructor(
    private readonly reflector: Reflector,
    private readonly verifier: IdentityVerifier,
    private readonly catalog: Catalog,
    private readonly refusals: RefusalRecorder,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const permissions = this.reflector.getAllAndOverride(Permits, [context.getHandler(), context.getClass()]) as
      readonly Permission[] | undefined;
    if (permissions === undefined) throw new Problem('forbidden', 'this route states no permission');
    if (permissions.includes('anyone')) return true;
    const request = context.switchToHttp().getRequest<IdentifiedRequest>();
    const principal = await this.identify(request);
    if (!isPermitted(principal, permissions)) {
      await this.refusals.forbidden(principal, routeOf(request));
      throw new Problem('forbidden', `this route is for ${permissions.join(', ')}, not for ${describe(principal)}`);
    }
    await this.refuseInactive(principal, request);
    request.principal = principal;
    return true;
  }

  /** A suspended or retired agent gets nothing, by any route. */
  private async refuseInactive(principal: Principal, request: FastifyRequest): Promise<void> {
    if (principal.kind !== 'agent' || principal.agent.state === 'active') return;
    await this.refusals.forbidden(principal, routeOf(request), 'agent-lifecycle');
    throw new Problem('policy_denied', `agent \`${principal.agent.name}\` is ${principal.agent.state}`, {
      control: 'agent-lifecycle',
      help: 'ask the owner of the agent to have it activated',
    });
  }

  private async identify(request: FastifyRequest): Promise<Principal> {
    try {
      return this.principalOf(await this.verifier.verify(bearerToken(request.headers.authorization)));
    } catch (error) {
      if (error instanceof Problem && error.code === 'unauthenticated')
        await this.refusals.unauthenticated(error, routeOf(request));
      throw error;
    }
  }

  private principalOf(identity: VerifiedIdentity): Principal {
    // Whose word counts, and for which roles, is declared too.
    this.catalog.requireFresh();
    const bound = this.catalog.bindingOf(identity);
    if (bound !== undefined) return { kind: 'agent', identity, ...bound };
    return identity.kind === 'person'
      ? { kind: 'person', identity, roles: identity.roles }
      : { kind: 'workload', identity };
  }
}

function bearerToken(header: string | undefined): string {
  const match = /^Bearer ([^\s]+)$/i.exec(header ?? '');
  if (match?.[1] === undefined) throw new Problem('unauthenticated', 'send a bearer token in `Authorization`');
  return match[1];
}

function routeOf({ method, routeOptions }: FastifyRequest): string {
  return `${method} ${routeOptions.url ?? 'unknown'}`;
}

function describe(principal: Principal): string {
  if (principal.kind !== 'person') return `a${principal.kind === 'agent' ? 'n agent' : ' workload that is no agent'}`;
  return principal.roles.length === 0 ? 'a person without a role' : `a person with ${principal.roles.join(', ')}`;
}
