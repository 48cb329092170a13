import type { AuditEntry } from '@mayfly/audit';
import type { JsonObject, TaskId } from '@mayfly/kernel';
import type { TaskState, UseQuota } from '@mayfly/tasks';

/** The rule of a version for what its tasks hand on (`TaskTemplate.spec.delegation`). */
export interface DelegationRule {
  readonly templates: readonly string[];
  readonly maxDepth: number;
  readonly maxChildren: number;
}

/** A task of a family, with the rule of its version, if it has one. */
export interface Ancestor {
  readonly agent: string;
  readonly template: string;
  readonly rule?: DelegationRule;
}

/** A part of a task that its agent handed on. */
export interface Delegation {
  /** the id of the task, once it is taken up */
  readonly id: TaskId;
  readonly parentId: TaskId;
  readonly rootId: TaskId;
  /** 1 for a child of the root */
  readonly depth: number;
  /** the name of the agent that may take it up */
  readonly agent: string;
  readonly template: string;
  readonly parameters: JsonObject;
  readonly purpose: string;
  readonly ttlSeconds?: number;
  /** the uses that its task has at most, with everything below it */
  readonly uses?: NonNullable<UseQuota['uses']>;
  readonly createdAt: Date;
  readonly acceptBy: Date;
  readonly acceptedAt?: Date;
}

/** A delegation to write, with its entry. A repeated key of the parent returns the first one. */
export interface NewDelegation {
  readonly delegation: Delegation;
  readonly maxChildren: number;
  readonly idempotencyKey?: string;
  /** of the request, to tell another request under the same key */
  readonly fingerprint: string;
  readonly entry: AuditEntry;
}

/**
 * - `delegated`: the delegation is committed;
 * - `known`: the key was used before; `delegation` is the first one, with its fingerprint;
 * - `parent`: the parent ends or has ended; nothing was written;
 * - `children`: as many children wait or run as the rule allows; nothing was written.
 */
export type Delegated =
  | { readonly verdict: 'delegated' | 'parent' | 'children' }
  | { readonly verdict: 'known'; readonly delegation: Delegation; readonly fingerprint: string };

/** A task or a waiting delegation in its tree. */
export interface TreeNode {
  readonly id: TaskId;
  readonly parentId?: TaskId;
  readonly depth: number;
  readonly agent: string;
  readonly template: string;
  readonly state: TaskState | 'pending_acceptance' | 'lapsed';
  readonly endCause?: string;
  readonly expiresAt?: Date;
  readonly acceptBy?: Date;
}

/** Port: the store of delegations. All methods throw `unavailable`. */
export interface DelegationStore {
  /** Returns a task and all above it, the task first. */
  ancestors(taskId: TaskId): Promise<readonly Ancestor[]>;
  /** Writes a delegation under the lock of its parent, which counts the parent's children. */
  delegate(request: NewDelegation): Promise<Delegated>;
  find(id: TaskId): Promise<Delegation | undefined>;
  /** Returns the tree of a root, parents before children; at most `limit` nodes. */
  tree(rootId: TaskId, limit: number): Promise<readonly TreeNode[]>;
}
