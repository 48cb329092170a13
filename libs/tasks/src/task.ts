import type { AgentId, JsonObject, TaskId } from '@mayfly/kernel';

export type TaskState = 'active' | 'completed' | 'expired' | 'revoked' | 'failed';

/** The reason for the end of a task. The first recorded cause stays. */
export type TaskEndCause =
  | 'completed'
  | 'failed'
  | 'expired'
  | 'revoked'
  | 'heartbeat_lost'
  | 'agent_suspended'
  | 'agent_retired'
  | 'lockdown'
  | 'parent_ended'
  | 'uses_exhausted'
  | 'issuance_failed';

/** The final state of a task by its end cause, once its last lease is terminal. */
export const TERMINAL_STATE: Readonly<Record<TaskEndCause, Exclude<TaskState, 'active'>>> = {
  completed: 'completed',
  failed: 'failed',
  expired: 'expired',
  revoked: 'revoked',
  heartbeat_lost: 'revoked',
  agent_suspended: 'revoked',
  agent_retired: 'revoked',
  lockdown: 'revoked',
  parent_ended: 'revoked',
  uses_exhausted: 'revoked',
  issuance_failed: 'failed',
};

/** The place of a task that was handed on in its tree. */
export interface TaskOrigin {
  readonly parentId: TaskId;
  readonly rootId: TaskId;
  /** 1 for a child of the root */
  readonly depth: number;
  /** the agents that handed the work on, the root's first */
  readonly actors: readonly AgentId[];
}

/** One piece of work of one agent; it bounds the lifetime of every credential granted for it. */
export interface Task {
  readonly id: TaskId;
  readonly state: TaskState;
  readonly agent: { readonly id: AgentId; readonly name: string };
  readonly runtime: string;
  readonly template: { readonly name: string; readonly version: number };
  readonly parameters: JsonObject;
  readonly purpose: string;
  readonly createdAt: Date;
  readonly expiresAt: Date;
  /** The end of the template's longest life. No renewal exceeds it. */
  readonly maxExpiresAt: Date;
  readonly heartbeatTimeoutSeconds?: number;
  readonly heartbeatAt?: Date;
  /** absent for a root */
  readonly origin?: TaskOrigin;
  readonly endCause?: TaskEndCause;
  readonly endReason?: string;
  readonly endRequestedAt?: Date;
  readonly endedAt?: Date;
}

/** The instant at which the sweeper ends a task: its expiry, or the time its heartbeat is overdue. */
export function dueAt(task: Pick<Task, 'expiresAt' | 'heartbeatTimeoutSeconds'>, heartbeatAt: Date): Date {
  if (task.heartbeatTimeoutSeconds === undefined) return task.expiresAt;
  const lost = heartbeatAt.getTime() + task.heartbeatTimeoutSeconds * 1000;
  return new Date(Math.min(lost, task.expiresAt.getTime()));
}
