import type { Actor } from '@mayfly/audit';
import type { Declarer, RegisteredAgent } from '@mayfly/declarations';
import type { Role, VerifiedIdentity } from '@mayfly/identity';
import type { Requester } from '@mayfly/issuance';

/** The proven caller: an agent in a runtime, a person with roles, or a workload that is not bound to an agent. */
export type Principal = Call &
  (
    | { readonly kind: 'agent'; readonly agent: RegisteredAgent; readonly runtime: string }
    | { readonly kind: 'person'; readonly roles: readonly Role[] }
    | { readonly kind: 'workload' }
  );

/** The proven identity of one request. */
interface Call {
  readonly identity: VerifiedIdentity;
  readonly requestId: string;
}

export type AgentPrincipal = Extract<Principal, { kind: 'agent' }>;

export function actorOf(principal: Principal): Actor {
  const { issuer, subject } = principal.identity;
  if (principal.kind === 'agent') return { kind: 'agent', name: principal.agent.name, runtime: principal.runtime };
  return { kind: principal.kind, issuer, subject };
}

/** Returns the name of a principal for records: `issuer:subject`. */
function nameOf({ identity }: Principal): string {
  return `${identity.issuer}:${identity.subject}`;
}

/** Returns the declarer for the records and the audit. */
export function declarerOf(principal: Principal): Declarer {
  return { name: nameOf(principal), actor: actorOf(principal) };
}

export function requesterOf({ agent, runtime, identity, requestId }: AgentPrincipal): Requester {
  const { issuer, subject, expiresAt } = identity;
  const singleUse = identity.singleUse ? { singleUse: identity } : {};
  return { agent, runtime, issuer, subject, identityExpiresAt: expiresAt, ...singleUse, requestId };
}
