import type { AgentPrincipal } from '@mayfly/identity';
import type { Requester } from './request.js';

/** Returns the requester of a task from the proven agent. */
export function requesterOf({ agent, runtime, identity, requestId }: AgentPrincipal): Requester {
  const { issuer, subject, expiresAt } = identity;
  const singleUse = identity.singleUse ? { singleUse: identity } : {};
  return { agent, runtime, issuer, subject, identityExpiresAt: expiresAt, ...singleUse, requestId };
}
