import type { AgentPrincipal, Principal } from '@mayfly/identity';
import { createParamDecorator, type ExecutionContext } from '@nestjs/common';
import type { IdentifiedRequest } from './identity.guard.js';

/** Injects the calling principal into a route's method. */
export const Caller = createParamDecorator((_: unknown, context: ExecutionContext): Principal => {
  const { principal } = context.switchToHttp().getRequest<IdentifiedRequest>();
  if (principal === undefined) throw new TypeError('the route has no identified caller');
  return principal;
});

/** Injects the calling agent; for routes that permit agents only. */
export const CallingAgent = createParamDecorator((_: unknown, context: ExecutionContext): AgentPrincipal => {
  const { principal } = context.switchToHttp().getRequest<IdentifiedRequest>();
  if (principal?.kind !== 'agent') throw new TypeError('the route is not for agents only');
  return principal;
});
