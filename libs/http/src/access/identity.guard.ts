import type { Catalog } from '@mayfly/declarations';
import {
  agentRefused,
  type IdentityVerifier,
  isReasonHidden,
  type Principal,
  tokenMissing,
  type VerifiedIdentity,
} from '@mayfly/identity';
import { Problem } from '@mayfly/kernel';
import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { FastifyRequest } from 'fastify';
import { AnswerFloor } from './answer-floor.js';
import { IdentifiedBy, isPermitted, type Permission, Permits } from './permits.js';
import type { RefusalRecorder, RefusedCall } from './refusal.recorder.js';

const WRONG_CALLER = 'use another identity, or ask for the role';

/** A request; the guard sets `principal` when it permits the call. */
export type IdentifiedRequest = FastifyRequest & { principal?: Principal };

/** Step 1 of docs/issuance.md: proves the caller's identity, and refuses every route without a stated permission. */
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
    if (permissions === undefined)
      throw new Problem('forbidden', 'this route states no permission; report this fault of Mayfly');
    if (permissions.includes('anyone')) return true;
    const request = context.switchToHttp().getRequest<IdentifiedRequest>();
    const header = this.reflector.getAllAndOverride(IdentifiedBy, [context.getHandler(), context.getClass()]) as
      string | undefined;
    request.principal = await this.admit(request, permissions, header);
    return true;
  }

  /**
   * Returns the proven caller. Throws `unauthenticated`, and `forbidden` or `policy_denied` when the caller may not use
   * a route with these permissions; the refusal is recorded. With `header`, the whole value of that header is the token.
   */
  async admit(request: FastifyRequest, permissions: readonly Permission[], header?: string): Promise<Principal> {
    const principal = await this.identify(request, header); //                                    1
    if (!isPermitted(principal, permissions)) throw await this.refusalOf(principal, permissions, request);
    await this.refuseInactive(principal, request);
    return principal;
  }

  /** Records the refusal before it is answered. The answer tells an unbound workload which identity to bind. */
  private async refusalOf(
    principal: Principal,
    permissions: readonly Permission[],
    request: FastifyRequest,
  ): Promise<Problem> {
    if (principal.kind === 'workload' && permissions.includes('agent')) {
      const problem = agentRefused('no_agent', principal.identity);
      await this.refusals.identity(problem, callOf(request));
      return problem;
    }
    await this.refusals.forbidden(principal, routeOf(request));
    return new Problem('forbidden', `this route is for ${permissions.join(', ')}, not for ${describe(principal)}`, {
      help: WRONG_CALLER,
    });
  }

  /** Refuses an agent that is not active, on every route. */
  private async refuseInactive(principal: Principal, request: FastifyRequest): Promise<void> {
    if (principal.kind !== 'agent' || principal.agent.state === 'active') return;
    await this.refusals.forbidden(principal, routeOf(request), 'agent-lifecycle');
    throw new Problem('policy_denied', `agent \`${principal.agent.name}\` is ${principal.agent.state}`, {
      control: 'agent-lifecycle',
      help: 'ask an operator to activate the agent',
    });
  }

  private async identify(request: FastifyRequest, header: string | undefined): Promise<Principal> {
    const floor = new AnswerFloor();
    try {
      return this.principalOf(await this.verifier.verify(tokenOf(request, header)), request.id);
    } catch (error) {
      await this.refusals.identity(error, callOf(request));
      if (isReasonHidden(error)) await floor.reached();
      throw error;
    }
  }

  private principalOf(identity: VerifiedIdentity, requestId: string): Principal {
    // Bindings and roles are declared, so a stale catalog must not decide.
    this.catalog.requireFresh();
    const bound = this.catalog.bindingOf(identity);
    if (bound !== undefined) return { kind: 'agent', identity, requestId, ...bound };
    return identity.kind === 'person'
      ? { kind: 'person', identity, requestId, roles: identity.roles, groups: identity.groups }
      : { kind: 'workload', identity, requestId };
  }
}

function tokenOf({ headers }: FastifyRequest, header: string | undefined): string {
  const own = header === undefined ? bearerToken(headers.authorization) : headers[header];
  if (typeof own !== 'string' || own === '') throw tokenMissing();
  return own;
}

/** Returns the bearer token (RFC 6750 §2.1). The scheme may have any case (RFC 9110 §11.1). */
function bearerToken(header: string | undefined): string {
  const match = /^Bearer ([^\s]+)$/i.exec(header ?? '');
  if (match?.[1] === undefined) throw tokenMissing();
  return match[1];
}

function callOf(request: FastifyRequest): RefusedCall {
  return { route: routeOf(request), requestId: request.id };
}

function routeOf({ method, routeOptions }: FastifyRequest): string {
  return `${method} ${routeOptions.url ?? 'unknown'}`;
}

function describe(principal: Principal): string {
  if (principal.kind !== 'person') return `a${principal.kind === 'agent' ? 'n agent' : ' workload that is no agent'}`;
  return principal.roles.length === 0 ? 'a person without a role' : `a person with ${principal.roles.join(', ')}`;
}
