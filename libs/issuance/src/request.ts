import type { VerifiedIdentity } from '@mayfly/identity';
import type { AgentId, Json, Labels } from '@mayfly/kernel';

/** The agent behind a request, as its proven workload identity gives it. Nothing here is claimed by the caller. */
export interface Requester {
  readonly agent: { readonly id: AgentId; readonly name: string; readonly state: string; readonly labels: Labels };
  readonly runtime: string;
  /** name of the issuer record, and the subject that it vouched for */
  readonly issuer: string;
  readonly subject: string;
  readonly identityExpiresAt: Date;
  /** the proven identity, where its token may open one task only */
  readonly singleUse?: VerifiedIdentity;
  /** of the request that asks, for the audit */
  readonly requestId?: string;
}

export interface TaskRequest {
  readonly template: string;
  readonly parameters: Json;
  readonly purpose: string;
  readonly ttlSeconds?: number;
  /** the claimed `Idempotency-Key`, bound to the task in the commit that opens it */
  readonly keyHold?: KeyHold;
}

/** Who sent a key: keys of different agents, runtimes or identities never meet. */
export interface KeyOwner {
  readonly agentId: AgentId;
  readonly runtime: string;
  readonly issuer: string;
  readonly subject: string;
}

/** The right to open a task under a key, until it lapses. */
export interface KeyHold extends KeyOwner {
  readonly key: string;
  /** fences a claim that lapsed and was given to another: the database's instant, with microseconds */
  readonly claimedAt: string;
}
