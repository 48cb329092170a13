import type { AgentId, Labels } from '@mayfly/kernel';
import type { Role } from './issuers/issuer-spec.js';
import type { VerifiedIdentity } from './verified-identity.js';

/** The proven caller: an agent in a runtime, a person with roles, or a workload that is not bound to an agent. */
export type Principal = Call &
  (
    | { readonly kind: 'agent'; readonly agent: CallingAgent; readonly runtime: string }
    | { readonly kind: 'person'; readonly roles: readonly Role[]; readonly groups: readonly string[] }
    | { readonly kind: 'workload' }
  );

/** The proven identity of one request. */
interface Call {
  readonly identity: VerifiedIdentity;
  readonly requestId: string;
}

/** The registered agent of the identity; `state` is `active` in every request that the guard permits. */
interface CallingAgent {
  readonly id: AgentId;
  readonly name: string;
  readonly state: string;
  readonly labels: Labels;
}

export type AgentPrincipal = Extract<Principal, { kind: 'agent' }>;
