import type { VerifiedIdentity } from '@mayfly/identity';
import type { AgentId, Json, Labels, TaskId } from '@mayfly/kernel';
import type { TaskOrigin } from '@mayfly/tasks';

/**
 * The agent that sends the request, from its proven workload identity. The caller states none of these values itself.
 */
export interface Requester {
  readonly agent: { readonly id: AgentId; readonly name: string; readonly state: string; readonly labels: Labels };
  readonly runtime: string;
  /** the name of the issuer record, and the subject that the issuer vouches for */
  readonly issuer: string;
  readonly subject: string;
  readonly identityExpiresAt: Date;
  /** the proven identity, present when its token is for a single task */
  readonly singleUse?: VerifiedIdentity;
  /** the id of the HTTP request, for the audit */
  readonly requestId?: string;
}

/** The request for a task, as step 3 gets it. */
export interface TaskRequest {
  readonly template: string;
  readonly parameters: Json;
  readonly purpose: string;
  readonly ttlSeconds?: number;
  /** the hold on the `Idempotency-Key`; the commit that opens the task binds the key to it */
  readonly keyHold?: KeyHold;
  /** present when the task was handed on */
  readonly child?: ChildRequest;
  /** true when a running task asks for a later deadline */
  readonly renews?: boolean;
}

/** The bounds of a task that was handed on. */
export interface ChildRequest {
  readonly taskId: TaskId;
  readonly origin: TaskOrigin;
  /** the deadline that the parent has now, and the latest one that it can have */
  readonly expiresAt: Date;
  readonly maxExpiresAt: Date;
  /** the credentials of the parent, which those of the child are within */
  readonly held: readonly HeldScope[];
}

/** The scope of one credential of a parent. */
export interface HeldScope {
  readonly provider: string;
  readonly connection?: string | undefined;
  readonly scope: Json;
}

/** The sender of a key. The same key from another agent, runtime or identity is another key. */
export interface KeyOwner {
  readonly agentId: AgentId;
  readonly runtime: string;
  readonly issuer: string;
  readonly subject: string;
}

/** The right to open one task under a key, until the hold lapses. */
export interface KeyHold extends KeyOwner {
  readonly key: string;
  /** the database's time of the hold, in microseconds: a request whose hold lapsed cannot use the hold of another */
  readonly heldAt: string;
}
